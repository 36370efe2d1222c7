"""Answers at paths outside the API, for whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.middleware.compose import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication


class ProbesLayer:
    """Hands a request for one of the paths in `answers` to its application. Access control is further in."""

    stage = Stage.OBSERVE

    def __init__(self, app: WSGIApplication, *, answers: Mapping[str, WSGIApplication]) -> None:
        self._app = app
        self._answers = answers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._answers.get(environ["PATH_INFO"], self._app)(environ, start_response)
