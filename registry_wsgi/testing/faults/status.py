"""The layer `fault-status`: requests are answered with an error, and not handed on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from registry_wsgi.api.respond import API_VERSION
from registry_wsgi.middleware.compose import Stage
from registry_wsgi.testing.faults.answers import phrase
from registry_wsgi.testing.faults.strikes import Strikes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication

_CODES = {401: "UNAUTHORIZED", 403: "DENIED", 405: "UNSUPPORTED", 429: "TOOMANYREQUESTS", 503: "UNAVAILABLE"}


class StatusFault:
    """Answers with `status`, `headers` and an error of `code` in the registry's form; `code` goes with the status.

    Requests are chosen as `Strikes` does. Raises ValueError.
    """

    stage = Stage.OBSERVE

    def __init__(
        self,
        app: WSGIApplication,
        *,
        status: int = 503,
        headers: Mapping[str, object] | None = None,
        code: str = "",
        methods: str = "",
        path: str = "",
        times: int | None = None,
        after: int = 0,
    ) -> None:
        if not 300 <= status <= 599:
            raise ValueError(f"status must be from 300 to 599, not {status}")
        self._app = app
        self._strikes = Strikes(methods=methods, path=path, times=times, after=after)
        error = {"code": code or _CODES.get(status, "UNKNOWN"), "message": f"the fault {status} that was asked for"}
        self._body = json.dumps({"errors": [error]}).encode() + b"\n"
        self._status = phrase(status)
        basic = {"Content-Type": "application/json", "Content-Length": str(len(self._body))}
        given = {name: str(value) for name, value in (headers or {}).items()}
        self._headers = [*basic.items(), *given.items(), API_VERSION]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not self._strikes.strikes(environ):
            return self._app(environ, start_response)
        start_response(self._status, list(self._headers))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self._body]
