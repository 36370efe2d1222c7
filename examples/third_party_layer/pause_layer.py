"""A WSGI layer of one's own: while a file exists, nothing is written to the registry."""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import TYPE_CHECKING

from registry_wsgi.api.respond import API_VERSION, envelope
from registry_wsgi.errors import Unavailable
from registry_wsgi.middleware.compose import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication


class PauseLayer:
    """Answers every request that writes with 503 while the file `flag` is there; the others go on.

    `retryafter` is the seconds after which clients are asked to try again.
    """

    stage = Stage.PROTECT

    def __init__(self, app: WSGIApplication, *, flag: str, retryafter: int = 60) -> None:
        self._app = app
        self._flag = flag
        self._error = Unavailable("the registry is being maintained", headers={"Retry-After": str(retryafter)})

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD") or not os.path.exists(self._flag):
            return self._app(environ, start_response)
        status, headers, body = envelope(self._error)
        start_response(f"{status} {HTTPStatus(status).phrase}", [*headers.items(), API_VERSION])
        return [body]
