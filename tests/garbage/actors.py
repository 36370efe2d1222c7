"""Two things that happen at once, one driver call at a time, in an order that a test gives."""

from __future__ import annotations

import threading
from queue import Queue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.interfaces import StorageDriver

_CALLS = {
    "get_content",
    "put_content",
    "reader",
    "writer",
    "stat",
    "list",
    "list_after",
    "move",
    "delete",
    "stage",
    "staged",
}
_SECONDS = 120.0


class Killed(BaseException):
    """What ends an actor at a call that it never makes."""


class Actor(threading.Thread):
    """A thread that does `action`, and waits before each call of its drivers and each sleep until it may go on."""

    def __init__(self, action: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.ended = False
        self.failure: BaseException | None = None
        self._action = action
        self._may: Queue[bool] = Queue()
        self._reached: Queue[bool] = Queue()
        self.start()
        self._wait()

    def run(self) -> None:
        try:
            self._action()
        except BaseException as failure:
            self.failure = failure
        self._reached.put(True)

    def step(self) -> None:
        self._reached.put(False)
        if not self._may.get(timeout=_SECONDS):
            raise Killed

    def go(self, calls: int) -> int:
        """Let it make so many calls, or those that it has left, and return how many those were."""
        made = 0
        while made < calls and not self.ended:
            self._may.put(True)
            self._wait()
            made += 1
        return made

    def finish(self) -> int:
        made = self.go(1_000_000)
        if self.failure is not None:
            raise self.failure
        return made

    def kill(self) -> None:
        """Let it do nothing any more."""
        if not self.ended:
            self._may.put(False)
            self._wait()

    def _wait(self) -> None:
        self.ended = self._reached.get(timeout=_SECONDS)


def step() -> None:
    if isinstance(actor := threading.current_thread(), Actor):
        actor.step()


class Stepping:
    """A driver before each of whose calls an actor waits."""

    def __init__(self, driver: StorageDriver) -> None:
        self.name = driver.name
        self._driver = driver

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._driver, name)

        def stepped(*arguments: Any, **options: Any) -> Any:
            step()
            return method(*arguments, **options)

        return stepped if name in _CALLS else method
