from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from registry_wsgi.errors import ConfigurationError
from registry_wsgi.middleware.compose import Layer, Stage, compose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication


def layer_at(stage: Stage | None) -> Layer:
    class Named:
        def __init__(self, app: WSGIApplication, *, mark: str) -> None:
            self._app = app
            self._mark = mark

        def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            return [self._mark.encode(), *self._app(environ, start_response)]

    name = stage.name if stage is not None else "NONE"
    if stage is not None:
        Named.stage = stage  # type: ignore[attr-defined]
    return Layer(name, Named, {"mark": f"{name} "})


def core(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    return [b"core"]


def test_the_first_layer_is_the_outermost() -> None:
    app = compose(core, [layer_at(stage) for stage in Stage])
    assert b"".join(app({}, lambda *_: lambda _: None)) == b"CONTEXT OBSERVE PROTECT ANSWER core"


def test_several_layers_may_stand_at_one_stage() -> None:
    app = compose(core, [layer_at(Stage.OBSERVE), layer_at(Stage.OBSERVE)])
    assert b"".join(app({}, lambda *_: lambda _: None)) == b"OBSERVE OBSERVE core"


def test_a_cache_outside_access_control_does_not_start() -> None:
    with pytest.raises(ConfigurationError, match=r"PROTECT .* cannot stand inside ANSWER"):
        compose(core, [layer_at(Stage.ANSWER), layer_at(Stage.PROTECT)])


def test_a_layer_that_does_not_say_its_stage_does_not_start() -> None:
    with pytest.raises(ConfigurationError, match="does not say its stage"):
        compose(core, [layer_at(Stage.CONTEXT), layer_at(None)])
