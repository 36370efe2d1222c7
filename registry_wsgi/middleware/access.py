"""Access control: decides, before the core is reached, whether a request may be answered."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from registry_wsgi.api.bodies import RequestBody
from registry_wsgi.api.respond import API_VERSION, envelope, status_line
from registry_wsgi.auth.needed import needed
from registry_wsgi.context import ENVIRON_KEY, logger
from registry_wsgi.errors import Denied, RegistryError, RouteUnknown, TooManyRequests, Unauthorized
from registry_wsgi.interfaces import Access
from registry_wsgi.middleware.compose import Stage
from registry_wsgi.routes import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import AccessController, WSGIApplication
    from registry_wsgi.middleware.logins import LoginLimit


class AccessLayer:
    """Asks `controller` for all that a request needs, and stamps user and grant into the Context.

    Where too many of an address have failed, `logins` has it answered with 429 before the controller is asked. A path
    that is no route is not handed on, whoever asks: what this layer does not know it cannot have judged.
    """

    stage = Stage.PROTECT

    def __init__(self, app: WSGIApplication, *, controller: AccessController, logins: LoginLimit | None = None) -> None:
        self._app = app
        self._controller = controller
        self._logins = logins

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        ctx: Context = environ[ENVIRON_KEY]
        try:
            if self._logins is not None:
                self._logins.check(environ)
            self._authorize(ctx, environ)
        except (Unauthorized, Denied, TooManyRequests, RouteUnknown) as error:
            if self._logins is not None and isinstance(error, Unauthorized):
                self._logins.failed(environ, error)
            return _refused(ctx, environ, start_response, error)
        return self._app(environ, start_response)

    def _authorize(self, ctx: Context, environ: WSGIEnvironment) -> None:
        access = needed(ctx.route, environ["REQUEST_METHOD"], environ.get("QUERY_STRING", ""))
        debug = logger.isEnabledFor(logging.DEBUG)
        if debug:
            ctx.debug("authorizing request")
        try:
            grant = self._controller.authorize(ctx, environ, access)
        except Denied as error:
            ctx.user = ctx.user or error.user
            raise
        ctx.user, ctx.rule = grant.user, grant.rule
        ctx.may_pull = lambda name: grant.may(Access("repository", name, "pull"))
        if ctx.route.resource is Resource.NONE:
            raise RouteUnknown(f"there is nothing at {environ['PATH_INFO'][:200]!r}")
        if debug:
            ctx.debug("authorized request", **{"auth.rule": grant.rule})


def _refused(
    ctx: Context, environ: WSGIEnvironment, start_response: StartResponse, error: RegistryError
) -> Iterable[bytes]:
    ctx.info("refused", **{"err.code": error.code.lower(), "err.detail": error.detail})
    status, headers, body = envelope(error)
    start_response(status_line(status), [*headers.items(), API_VERSION])
    with suppress(RegistryError):  # a body whose length cannot be told is left to the server
        RequestBody(environ).discard()
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
