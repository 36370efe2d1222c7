"""The layer `fault-slow`: answers that begin late, or trickle."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from registry_wsgi.middleware.compose import Stage
from registry_wsgi.testing.faults.strikes import Strikes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication

_PIECES_A_SECOND = 10


class SlowFault:
    """Waits `delay` seconds before it answers, and sends `rate` bytes a second of the body; 0 is as fast as can be.

    Requests are chosen as `Strikes` does. Raises ValueError.
    """

    stage = Stage.OBSERVE

    def __init__(
        self,
        app: WSGIApplication,
        *,
        delay: float = 0.0,
        rate: int = 0,
        methods: str = "",
        path: str = "",
        times: int | None = None,
        after: int = 0,
    ) -> None:
        if delay < 0 or rate < 0 or not (delay or rate):
            raise ValueError("delay, in seconds, or rate, in bytes a second, must be more than 0, and neither less")
        self._app = app
        self._delay, self._rate = delay, rate
        self._strikes = Strikes(methods=methods, path=path, times=times, after=after)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not self._strikes.strikes(environ):
            return self._app(environ, start_response)
        time.sleep(self._delay)
        body = self._app(environ, start_response)
        return _trickling(body, self._rate) if self._rate else body


def _trickling(body: Iterable[bytes], rate: int) -> Iterator[bytes]:
    size = max(1, rate // _PIECES_A_SECOND)
    try:
        for block in body:
            for start in range(0, len(block), size):
                yield block[start : start + size]
                time.sleep(size / rate)
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()
