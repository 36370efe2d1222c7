"""Another host that has the blobs, as a store behind a registry that redirects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.api.core import create_core
from registry_wsgi.middleware.compose import Layer, compose
from registry_wsgi.middleware.tracing import TracingLayer
from registry_wsgi.testing.journal import Journal
from registry_wsgi.testing.loopback import LoopbackServer
from registry_wsgi.testing.recording import Recording, Request

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import Namespace


class Elsewhere:
    """Serves blobs at `url`, to whom the registry sent here. Like S3 it refuses a request with credentials as well."""

    def __init__(self, namespace: Namespace, context: ssl.SSLContext | None = None) -> None:
        self.requests: Journal[Request] = Journal()
        self._app = compose(create_core(namespace), [Layer("tracing", TracingLayer)])
        self._server = LoopbackServer(Recording(self._answer, self.requests, Journal()), context)
        # By its name it is another host than 127.0.0.1 also to clients that do not compare ports.
        self.url = f"http{'s' if context else ''}://localhost:{self._server.port}"

    def close(self) -> None:
        self._server.close()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if "signature=" in environ["QUERY_STRING"] and "HTTP_AUTHORIZATION" not in environ:
            return self._app(environ, start_response)
        body = b"either a signature or credentials, and not both\n"
        start_response("400 Bad Request", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]
