"""A store, and a clock that is turned by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import storages
from tests.dated import Clock, DatedDriver
from tests.garbage.actors import step

if TYPE_CHECKING:
    from registry_wsgi.interfaces import StorageDriver


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch, step)


@pytest.fixture
def driver(clock: Clock) -> StorageDriver:
    return DatedDriver(storages.new_driver())
