"""The layer `quirk-pages`: lists come in pages, as from Amazon's ECR."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from registry_wsgi.api.respond import API_VERSION, envelope, status_line
from registry_wsgi.context import ENVIRON_KEY
from registry_wsgi.errors import Unsupported
from registry_wsgi.middleware.compose import Stage
from registry_wsgi.routes import Resource
from registry_wsgi.testing.faults.answers import changing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication

    Headers = list[tuple[str, str]]

_TARGET = re.compile(r"<([^?>]*)\?([^>]*)>")
_LISTS = (Resource.TAGS, Resource.CATALOG)


class PagesQuirk:
    """Gives `default` tags to who does not say how many, and refuses who says more than `most`.

    What follows is found by the Link header alone: its `last` is no tag but, if `opaque`, a token. Raises ValueError.
    """

    stage = Stage.ANSWER

    def __init__(self, app: WSGIApplication, *, default: int = 100, most: int = 1000, opaque: bool = True) -> None:
        if not 1 <= default <= most:
            raise ValueError(f"default must be from 1 to most, not {default} of {most}")
        self._app = app
        self._default, self._most, self._opaque = default, most, opaque

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ[ENVIRON_KEY].route.resource not in _LISTS:
            return self._app(environ, start_response)
        query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
        try:
            asked = self._asked(query)
        except Unsupported as error:
            status, headers, body = envelope(error)
            start_response(status_line(status), [*headers.items(), API_VERSION])
            return [body]
        return self._app({**environ, "QUERY_STRING": urlencode(asked)}, changing(start_response, self._linked))

    def _asked(self, query: dict[str, str]) -> dict[str, str]:
        """Return the query that the registry is asked. Raises Unsupported, as ECR has it."""
        asked = {"n": str(self._default), **query}
        if asked["n"].isdigit() and int(asked["n"]) > self._most:
            raise Unsupported(f"n must be {self._most} or less")
        if self._opaque and "last" in asked:
            try:
                asked["last"] = urlsafe_b64decode(asked["last"]).decode()
            except ValueError:
                raise Unsupported("last must be the token of a Link header") from None
        return asked

    def _linked(self, headers: Headers) -> Headers:
        return [(key, _TARGET.sub(self._target, value) if key.lower() == "link" else value) for key, value in headers]

    def _target(self, target: re.Match[str]) -> str:
        query = dict(parse_qsl(target[2]))
        if self._opaque and "last" in query:
            query["last"] = urlsafe_b64encode(query["last"].encode()).decode()
        return f"<{target[1]}?{urlencode(query)}>"
