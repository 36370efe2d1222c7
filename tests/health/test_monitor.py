from __future__ import annotations

import threading

from registry_wsgi.health.checks import CheckFailed
from registry_wsgi.health.monitor import Monitor, Watched


class Steps:
    """A check that does what it is told, one step at a time."""

    def __init__(self) -> None:
        self.failing = False
        self.made = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def __call__(self) -> None:
        self.made.release()
        assert self.go.acquire(timeout=60)
        if self.failing:
            raise CheckFailed("broken")

    def step(self, *, failing: bool) -> None:
        """Let one check end; the next has then begun, and so what came of it is known."""
        self.failing = failing
        self.go.release()
        assert self.made.acquire(timeout=60)


def watched(threshold: int) -> tuple[Monitor, Steps]:
    monitor, steps = Monitor(), Steps()
    monitor.watch([Watched("a", steps, 0.01, threshold)])
    assert steps.made.acquire(timeout=60)
    return monitor, steps


def test_a_check_has_failed_when_it_did_so_often_enough_in_a_row() -> None:
    monitor, steps = watched(threshold=3)
    for failing in (True, True, False, True, True):
        steps.step(failing=failing)
        assert monitor.failing == {}
    steps.step(failing=True)
    assert monitor.failing == {"a": "broken"}


def test_its_first_success_ends_it() -> None:
    monitor, steps = watched(threshold=1)
    steps.step(failing=True)
    assert monitor.failing == {"a": "broken"}
    steps.step(failing=False)
    assert monitor.failing == {}


def test_one_that_fails_hides_no_other() -> None:
    monitor = Monitor()
    monitor.note("a", "broken")
    monitor.note("b", "lost")
    monitor.note("a", "")
    assert monitor.failing == {"b": "lost"}
