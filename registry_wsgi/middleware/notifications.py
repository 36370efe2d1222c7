"""Notifications: the events of a request that succeeded are kept before its status leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.api.respond import API_VERSION, envelope, status_line
from registry_wsgi.context import ENVIRON_KEY
from registry_wsgi.errors import Unavailable
from registry_wsgi.middleware.compose import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import WSGIApplication
    from registry_wsgi.notifications.intake import Intake


class _NotKept(Exception):
    """Goes out through the application, which had its answer ready."""


class NotificationsLayer:
    """Hands the events of each request that succeeded to `intake`; `deliver` is called with every request, before it.

    A status is the acknowledgement, so it waits until the events of a write are kept. Where they cannot be, the
    client gets 503, and may try again: every write of the API can be repeated.
    """

    stage = Stage.OBSERVE

    def __init__(self, app: WSGIApplication, *, intake: Intake, deliver: Callable[[], None]) -> None:
        self._app = app
        self._intake = intake
        self._deliver = deliver

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self._deliver()
        ctx: Context = environ[ENVIRON_KEY]
        take = self._intake.take

        def started(
            status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            if ctx.events and status < "4":
                try:
                    take(ctx, environ)
                except Unavailable as error:
                    raise _NotKept from error
            # Not every server's start_response takes a third argument that is None.
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        try:
            return self._app(environ, started)
        except _NotKept:
            ctx.error("the events of a request cannot be kept")
            detail = "the events of what was done cannot be kept, so it is not acknowledged: try again"
            code, headers, body = envelope(Unavailable(detail))
            start_response(status_line(code), [*headers.items(), API_VERSION])
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
