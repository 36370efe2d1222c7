"""Registries as the pytest plugin gives them; the fixture `registry` of all other tests is another one."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from registry_wsgi.testing.served import ServedRegistry
from tests import storages
from tests.wire import Client

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from registry_wsgi.testing.pytest_plugin import RegistryFactory


@pytest.fixture
def start() -> Iterator[RegistryFactory]:
    """Start registries with the storage that they have by themselves, or over the store that is chosen."""
    with ExitStack() as stack:

        def start(config: Mapping[str, Any] | None = None, **options: Any) -> ServedRegistry:
            storage = {**storages.new_section(), "delete": {"enabled": True}}
            return stack.enter_context(ServedRegistry(config={"storage": storage, **(config or {})}, **options))

        yield start


@pytest.fixture
def served(start: RegistryFactory) -> ServedRegistry:
    return start()


@pytest.fixture
def client(served: ServedRegistry) -> Client:
    return Client(served.url)
