"""A server in a thread of this process, on a free port of the loopback interface."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

if TYPE_CHECKING:
    import ssl

    from registry_wsgi.interfaces import WSGIApplication

_logger = logging.getLogger("registry_wsgi.testing")
_POLL_SECONDS = 0.02


class LoopbackServer:
    """Serves `app` until `close`; each request has a thread. With a `context` it speaks TLS.

    It is werkzeug's server for development: it takes chunked bodies and closes each connection after its answer.
    """

    def __init__(self, app: WSGIApplication, context: ssl.SSLContext | None = None) -> None:
        self._server = _Server("127.0.0.1", 0, app, _Handler, ssl_context=context)
        if context is not None:
            # A client that never shakes hands must not keep the others waiting: the request's own thread does it.
            self._server.socket.do_handshake_on_connect = False  # type: ignore[attr-defined]
        self.port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and hang up on whoever is still there."""
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()


class _Server(ThreadedWSGIServer):
    """werkzeug's, knowing its connections and silent on the terminal."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._connections: set[Any] = set()
        super().__init__(*arguments, **options)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self._connections.discard(request)

    def hang_up(self) -> None:
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def log(self, type: str, message: str, *arguments: Any) -> None:
        _logger.log(logging.ERROR if type == "error" else logging.DEBUG, message.rstrip(), *arguments)


class _Handler(WSGIRequestHandler):
    """werkzeug's, logging where the server does. The version makes it close connections in the client's sight."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *arguments: Any) -> None:
        self.server.log(type, message, *arguments)
