"""A store in memory, and a clock that is turned by hand: no test waits, and content is as old as it has to be."""

from __future__ import annotations

import time

import pytest

from registry_wsgi.drivers.inmemory import InMemoryDriver
from tests.garbage.actors import step


class Clock:
    """What `time` says: it goes on by what is slept, and by `pass_`."""

    def __init__(self) -> None:
        self._began, self._passed = time.time(), 0.0

    def time(self) -> float:
        return self._began + self._passed

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        step()
        self.pass_(seconds)

    def pass_(self, seconds: float) -> None:
        self._passed += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock


@pytest.fixture
def driver(clock: Clock) -> InMemoryDriver:
    return InMemoryDriver()
