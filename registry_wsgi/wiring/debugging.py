"""The server of `http.debug.addr`: metrics, and the health of the registry. One of its processes serves for all."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

from registry_wsgi.health.probes import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.config import Debug
    from registry_wsgi.health.monitor import Monitor
    from registry_wsgi.interfaces import WSGIApplication

_logger = logging.getLogger("registry_wsgi")


def create_debug_app(
    monitor: Monitor, manual: Callable[[bool], None], metrics: tuple[str, WSGIApplication] | None
) -> WSGIApplication:
    """Return the application: `/debug/health`, `POST /debug/health/down` and `/up`, and metrics at their path.

    `manual` is called with whether an operator takes the registry down; who is not on this host may not.
    """

    def debug(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if metrics and path == metrics[0]:
            return metrics[1](environ, start_response)
        if path == "/debug/health" and method in ("GET", "HEAD"):
            failing = monitor.failing
            return answer(environ, start_response, "503 Service Unavailable" if failing else "200 OK", failing)
        if path in ("/debug/health/down", "/debug/health/up") and method == "POST":
            if not _is_loopback(environ.get("REMOTE_ADDR", "")):
                return answer(environ, start_response, "403 Forbidden", {"error": "from this host alone"})
            down = path.endswith("/down")
            manual(down)
            return answer(environ, start_response, "200 OK", {})
        return answer(environ, start_response, "404 Not Found", {"error": "there is nothing at this path"})

    return debug


def listen(debug: Debug) -> socket.socket:
    """Raises OSError."""
    family = socket.AF_INET6 if ":" in debug.interface else socket.AF_INET
    return socket.create_server((debug.interface, debug.port), family=family)


def serve(debug: Debug, app: WSGIApplication) -> None:
    """Serve in a thread that ends with the process. Raises OSError where the address is taken."""
    with listen(debug) as listener:
        host, port = listener.getsockname()[:2]
        server = make_server(host, port, app, threaded=True, request_handler=_Quiet, fd=listener.fileno())
    threading.Thread(target=server.serve_forever, daemon=True, name="debug").start()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: ARG002 - the library calls it so
        _logger.debug(message, *args)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
