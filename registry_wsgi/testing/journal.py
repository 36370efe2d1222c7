"""What happened, in order, for a test to look at or to wait for."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")


class Journal(Sequence[T], Generic[T]):
    """A sequence that other threads add to."""

    def __init__(self) -> None:
        self._entries: list[T] = []
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self._entries[index]

    def __repr__(self) -> str:
        return repr(self._entries)

    def __eq__(self, other: object) -> bool:
        return list(self) == other

    __hash__ = None  # type: ignore[assignment]  # it changes

    def add(self, entries: Iterable[T]) -> None:
        with self._changed:
            self._entries += entries
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget everything so far."""
        with self._changed:
            self._entries = []

    def where(self, suits: Callable[[T], bool]) -> list[T]:
        return [entry for entry in list(self._entries) if suits(entry)]

    def wait(self, count: int = 1, suits: Callable[[T], bool] | None = None, *, timeout: float = 10.0) -> list[T]:
        """Return the entries that suit, or all, once there are `count` of them.

        Raises TimeoutError after `timeout` seconds, with what there was.
        """
        end = time.monotonic() + timeout
        with self._changed:
            while len(found := self.where(suits or _any)) < count:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"{len(found)} of {count} after {timeout} s; there were {self._entries!r}")
                self._changed.wait(left)
        return found


def _any(entry: object) -> bool:
    return True
