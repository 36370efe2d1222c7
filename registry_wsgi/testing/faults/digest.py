"""The layer `fault-digest`: a Docker-Content-Digest that is wrong, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.middleware.compose import Stage
from registry_wsgi.testing.faults.answers import changing, value_of, without
from registry_wsgi.testing.faults.strikes import Strikes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication

_DIGEST = "Docker-Content-Digest"


class DigestFault:
    """Says `value` in every Docker-Content-Digest; an empty one leaves the header out.

    Requests are chosen as `Strikes` does. Raises ValueError.
    """

    stage = Stage.OBSERVE

    def __init__(
        self,
        app: WSGIApplication,
        *,
        value: str = f"sha256:{'0' * 64}",
        methods: str = "",
        path: str = "",
        times: int | None = None,
        after: int = 0,
    ) -> None:
        self._app = app
        self._value = value
        self._strikes = Strikes(methods=methods, path=path, times=times, after=after)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not self._strikes.strikes(environ):
            return self._app(environ, start_response)
        return self._app(environ, changing(start_response, self._changed))

    def _changed(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        if not value_of(headers, _DIGEST):
            return headers
        return [*without(headers, _DIGEST), *([(_DIGEST, self._value)] if self._value else [])]
