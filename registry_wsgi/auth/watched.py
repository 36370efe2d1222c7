"""Files that may change while the registry runs: users, rules."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic, TypeVar

from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.context import Context

Value = TypeVar("Value")

LOOK_SECONDS = 0.01
"""How often is looked at most: to ask for each request would cost as much as all the rest of access control."""


class Watched(Generic[Value]):
    """What `read` makes of a file, as long as its `stamp` is the same. One that cannot be read changes nothing.

    Both raise ConfigurationError, which is raised at the start, and later is an error in the log, once.
    """

    def __init__(self, stamp: Callable[[], tuple[int, ...]], read: Callable[[], Value]) -> None:
        self._stamp, self._read = stamp, read
        self._seen = stamp()
        self._value = read()
        self._next_look = 0.0
        self._problem = ""

    def current(self, ctx: Context) -> Value:
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._look(ctx)
        return self._value

    def _look(self, ctx: Context) -> None:
        problem = ""
        try:
            stamp = self._stamp()
            if stamp != self._seen:
                # The stamp comes first: what is changed while it is read is read again.
                self._value = self._read()
                self._seen = stamp
        except ConfigurationError as error:
            problem = str(error)
        if problem and problem != self._problem:
            ctx.error("a file cannot be used: what was read of it before stays", **{"auth.error": problem})
        self._problem = problem
