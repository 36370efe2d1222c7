"""The layers `quirk-no-link`, `quirk-location` and `quirk-header-names`: headers as other registries have them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from werkzeug.wsgi import get_host

from registry_wsgi.middleware.compose import Stage
from registry_wsgi.testing.faults.answers import changing, without

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication

    Headers = list[tuple[str, str]]


class NoLinkQuirk:
    """Leaves out the Link header: of a list that goes on nothing says so, and the client has to ask by `last`."""

    stage = Stage.OBSERVE

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._app(environ, changing(start_response, lambda headers: without(headers, "Link")))


class LocationQuirk:
    """Makes each Location `absolute`, with the scheme and the host of the request, or `relative` to the host.

    Raises ValueError for another `form`.
    """

    stage = Stage.OBSERVE

    def __init__(self, app: WSGIApplication, *, form: str) -> None:
        if form not in ("absolute", "relative"):
            raise ValueError(f"form must be absolute or relative, not {form!r}")
        self._app = app
        self._absolute = form == "absolute"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def changed(headers: Headers) -> Headers:
            return [(key, self._form(environ, value) if key.lower() == "location" else value) for key, value in headers]

        return self._app(environ, changing(start_response, changed))

    def _form(self, environ: WSGIEnvironment, location: str) -> str:
        parts = urlsplit(location)
        if not self._absolute:
            return urlunsplit(parts._replace(scheme="", netloc=""))
        if parts.netloc:
            return location
        return urlunsplit(parts._replace(scheme=environ["wsgi.url_scheme"], netloc=get_host(environ)))


class HeaderNamesQuirk:
    """Writes the names of all headers in `upper` or `lower` case (RFC 9110 §5.1: they mean the same).

    A server that writes names in its own way undoes it. Raises ValueError for another `case`.
    """

    stage = Stage.OBSERVE

    def __init__(self, app: WSGIApplication, *, case: str = "upper") -> None:
        if case not in ("upper", "lower"):
            raise ValueError(f"case must be upper or lower, not {case!r}")
        self._app = app
        self._written = str.upper if case == "upper" else str.lower

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def changed(headers: Headers) -> Headers:
            return [(self._written(key), value) for key, value in headers]

        return self._app(environ, changing(start_response, changed))
