"""The layers `quirk-no-referrers` and `quirk-redirect`: resources that are missing, or elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.api.respond import API_VERSION, envelope, status_line
from registry_wsgi.context import ENVIRON_KEY
from registry_wsgi.errors import RouteUnknown
from registry_wsgi.middleware.compose import Stage
from registry_wsgi.routes import Resource
from registry_wsgi.testing.faults.answers import Held, changing, without

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication


class NoReferrersQuirk:
    """Is a registry of before OCI 1.1: no referrers, and no OCI-Subject that promises to list one.

    Clients then keep the list themselves, under a tag (OCI Distribution Spec 1.1, "Referrers Tag Schema").
    """

    stage = Stage.ANSWER

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ[ENVIRON_KEY].route.resource is not Resource.REFERRERS:
            return self._app(environ, changing(start_response, lambda headers: without(headers, "OCI-Subject")))
        status, headers, body = envelope(RouteUnknown("this registry has no referrers"))
        start_response(status_line(status), [*headers.items(), API_VERSION])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


class RedirectQuirk:
    """Sends clients who may have a blob to the same path below `url` for it.

    That other host must not be shown the credentials that were meant for this one. Raises ValueError.
    """

    stage = Stage.ANSWER

    def __init__(self, app: WSGIApplication, *, url: str, status: int = 307) -> None:
        if not url.startswith(("http://", "https://")) or status not in (301, 302, 303, 307, 308):
            raise ValueError(f"url must be absolute and status 301, 302, 303, 307 or 308, not {url!r} and {status}")
        self._app = app
        self._url, self._status = url.rstrip("/"), status

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        resource = environ[ENVIRON_KEY].route.resource
        if resource is not Resource.BLOB or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return self._app(environ, start_response)
        answer = Held(self._app, environ)
        if answer.code not in (200, 206):
            return answer.let_go(start_response)
        location = f"{self._url}{environ['PATH_INFO']}?signature=of-the-registry"
        return answer.replace(start_response, self._status, {"Location": location, "Content-Length": "0"})
