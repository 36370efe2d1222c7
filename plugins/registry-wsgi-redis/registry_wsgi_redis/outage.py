"""What is done while Redis does not answer: nothing waits for it, and the log says so once in a while."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from registry_wsgi.errors import Unavailable
from registry_wsgi_redis.transactions import UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.context import Context

REST_SECONDS: Final = 2.0
LOG_SECONDS: Final = 60.0


class Outage:
    """Whether Redis may be asked. After a failure nobody asks for a while, and then one request tries.

    Without the rest each request would wait for a timeout of its own, several times over.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rests_until = 0.0  # zero while all is well, so that a request then needs no lock
        self._silent_until = float("-inf")
        self._reported = False

    def check(self) -> None:
        """Return where Redis may be asked now. Raises Unavailable during the rest."""
        if self._rests_until:
            with self._lock:
                now = self._clock()
                if now < self._rests_until:
                    raise Unavailable("the Redis cache does not answer")
                self._rests_until = now + REST_SECONDS  # this request is the one that tries

    def failed(self, ctx: Context, error: Exception) -> None:
        """Take note of a failure. One that is no matter of the connection, such as a full server, brings no rest."""
        with self._lock:
            now = self._clock()
            if isinstance(error, UNREACHABLE):
                self._rests_until = now + REST_SECONDS
            silent = now < self._silent_until
            if not silent:
                self._silent_until = now + LOG_SECONDS
                self._reported = True
        if not silent:
            ctx.error("the Redis cache failed; requests go on without it", error=error)

    def over(self, ctx: Context) -> None:
        """Take note of an answer."""
        if not self._rests_until:
            return
        with self._lock:
            reported, self._reported = self._reported and bool(self._rests_until), False
            self._rests_until = 0.0
        if reported:
            ctx.info("the Redis cache answers again")
