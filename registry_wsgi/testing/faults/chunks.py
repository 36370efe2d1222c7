"""The layer `quirk-chunk-minimum`: uploads come in chunks of a size that the registry names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.api.respond import API_VERSION, envelope, status_line
from registry_wsgi.context import ENVIRON_KEY
from registry_wsgi.errors import SizeInvalid
from registry_wsgi.middleware.compose import Stage
from registry_wsgi.routes import Resource
from registry_wsgi.testing.faults.answers import Held
from registry_wsgi.testing.input import CountedInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication


class ChunkMinimumQuirk:
    """Names `minimum`, in bytes, with each new upload, and refuses what follows a chunk that had fewer.

    Only the last chunk may (OCI Distribution Spec 1.1, "Pushing a blob in chunks"). Raises ValueError.
    """

    stage = Stage.ANSWER

    def __init__(self, app: WSGIApplication, *, minimum: int) -> None:
        if minimum < 1:
            raise ValueError(f"minimum must be 1 or more, not {minimum}")
        self._app = app
        self._minimum = minimum
        self._short: dict[str, int] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        route, method = environ[ENVIRON_KEY].route, environ["REQUEST_METHOD"]
        if route.resource is Resource.UPLOADS and method == "POST":
            return self._begun(environ, start_response)
        if route.resource is Resource.UPLOAD and method == "PATCH":
            return self._chunk(environ, start_response, route.argument)
        if route.resource is Resource.UPLOAD and method in ("PUT", "DELETE"):
            self._short.pop(route.argument, None)
        return self._app(environ, start_response)

    def _begun(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = Held(self._app, environ)
        if answer.code == 202:
            answer.headers.append(("OCI-Chunk-Min-Length", str(self._minimum)))
        return answer.let_go(start_response)

    def _chunk(self, environ: WSGIEnvironment, start_response: StartResponse, upload: str) -> Iterable[bytes]:
        if upload in self._short:
            detail = f"a chunk had {self._short[upload]} bytes; only the last may have fewer than {self._minimum}"
            status, headers, body = envelope(SizeInvalid(detail))
            start_response(status_line(status), [*headers.items(), API_VERSION])
            return [body]
        counted = CountedInput(environ["wsgi.input"])
        answer = Held(self._app, {**environ, "wsgi.input": counted})
        if answer.code == 202 and counted.size < self._minimum:
            self._short[upload] = counted.size
        return answer.let_go(start_response)
