"""Registries as the pytest plugin gives them; the fixture `registry` of all other tests is another one."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.testing.served import ServedRegistry
from tests.wire import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.testing.pytest_plugin import RegistryFactory


@pytest.fixture
def start() -> Iterator[RegistryFactory]:
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(ServedRegistry(**options))


@pytest.fixture
def served(start: RegistryFactory) -> ServedRegistry:
    return start()


@pytest.fixture
def client(served: ServedRegistry) -> Client:
    return Client(served.url)
