"""Refuses every request while the registry is not healthy, as registry:2 does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.api.respond import API_VERSION, envelope, status_line
from registry_wsgi.errors import Unavailable
from registry_wsgi.middleware.compose import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.health.monitor import Monitor
    from registry_wsgi.interfaces import WSGIApplication


class HealthLayer:
    """Answers 503 while `monitor` knows of a check that fails. What fails is told where operators ask, not here."""

    stage = Stage.OBSERVE

    def __init__(self, app: WSGIApplication, *, monitor: Monitor) -> None:
        self._app = app
        self._monitor = monitor

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not self._monitor.failing:
            return self._app(environ, start_response)
        status, headers, body = envelope(Unavailable("health check failed: please see /debug/health"))
        start_response(status_line(status), [*headers.items(), API_VERSION])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
