"""A place in the stack for layers that come and go while the registry runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.middleware.compose import Layer, Stage, compose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication


class Slot:
    """The factory of a layer that hands on to the layers that were added to it, the latest first."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def __call__(self, app: WSGIApplication) -> WSGIApplication:
        self._inside = self._app = app
        return self._answer

    def add(self, layer: Layer) -> None:
        """Put a layer around what is there. Raises ConfigurationError where it refuses its options."""
        self._app = compose(self._app, [layer])

    def clear(self) -> None:
        self._app = self._inside

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._app(environ, start_response)
