"""The layer `fault-cut`: connections that break in the middle of an answer, or of a request's body."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from registry_wsgi.middleware.compose import Stage
from registry_wsgi.testing.faults.answers import Held
from registry_wsgi.testing.faults.strikes import Strikes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import InputStream, StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication

_SOCKETS = ("werkzeug.socket", "gunicorn.socket")


class ConnectionCut(ConnectionAbortedError):
    """Raised into the server, which has sent less than it promised and can only hang up."""


class CutFault:
    """Cuts the connection at byte `at` of the answer's body or, if `of` is `request`, of the request's.

    A body that ends before is left whole. What was received of a request before the cut is the registry's to keep. A
    server that shows its socket, such as werkzeug's and gunicorn's, sends no answer to a request that was cut; on
    others the answer breaks off after its headers. Requests are chosen as `Strikes` does. Raises ValueError.
    """

    stage = Stage.OBSERVE

    def __init__(
        self,
        app: WSGIApplication,
        *,
        at: int = 0,
        of: str = "answer",
        methods: str = "",
        path: str = "",
        times: int | None = None,
        after: int = 0,
    ) -> None:
        if at < 0 or of not in ("answer", "request"):
            raise ValueError(f"at must be 0 or more, and of must be answer or request, not {at} and {of!r}")
        self._app = app
        self._at, self._of = at, of
        self._strikes = Strikes(methods=methods, path=path, times=times, after=after)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not self._strikes.strikes(environ):
            return self._app(environ, start_response)
        if self._of == "answer":
            return _cut(self._app(environ, start_response), self._at)
        Held(self._app, {**environ, "wsgi.input": _Breaking(environ["wsgi.input"], self._at)}).drop()
        hang_up(environ)
        start_response("200 OK", [("Content-Length", "1")])
        return _cut([b"x"], 0)


def hang_up(environ: WSGIEnvironment) -> None:
    """Close the connection for both directions, where the server shows its socket."""
    for key in _SOCKETS:
        if key in environ:
            with suppress(OSError):
                environ[key].shutdown(socket.SHUT_RDWR)


def _cut(body: Iterable[bytes], at: int) -> Iterator[bytes]:
    try:
        yield b""  # the headers go out, even if nothing follows
        for block in body:
            yield block[:at]
            at -= len(block)
            if at < 0:
                raise ConnectionCut("the cut that was asked for")
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()


class _Breaking:
    """A request's body that breaks off, as it does where the client dies."""

    def __init__(self, stream: InputStream, left: int) -> None:
        self._stream = stream
        self._left = left

    def read(self, size: int = -1, /) -> bytes:
        return self._taken(self._stream.read, size)

    def readline(self, size: int = -1, /) -> bytes:
        return self._taken(self._stream.readline, size)

    def readlines(self, hint: int = -1, /) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _taken(self, read: Callable[[int], bytes], size: int) -> bytes:
        if not self._left:
            raise ConnectionCut("the cut that was asked for")
        block = read(self._left if size < 0 else min(size, self._left))
        self._left -= len(block)
        return block
