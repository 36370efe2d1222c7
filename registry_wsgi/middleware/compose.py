"""Stacking layers: each is a WSGI application around another, and says at which stage it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from registry_wsgi.interfaces import WSGIApplication


class Stage(IntEnum):
    """Where a layer stands, from the outside in."""

    CONTEXT = 0  # makes the Context; whatever fails inside is answered here
    OBSERVE = 1  # sees every request and its outcome: notifications, metrics
    PROTECT = 2  # decides who may do what
    ANSWER = 3  # may answer by itself: caches


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer to be stacked: its name for people, its class, its options, and the `key` that they stand at.

    The class has a `stage`, and is called with the application it goes around and the options as keywords.
    """

    name: str
    factory: Callable[..., WSGIApplication]
    options: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""

    @property
    def stage(self) -> Stage:
        """Raises ConfigurationError where the class does not say."""
        stage = getattr(self.factory, "stage", None)
        if not isinstance(stage, Stage):
            raise ConfigurationError(f"the layer {self.name} does not say its stage")
        return stage


def compose(app: WSGIApplication, layers: Sequence[Layer]) -> WSGIApplication:
    """Return `app` with `layers` around it, the first one outermost.

    Raises ConfigurationError where a layer stands outside one of an earlier stage: a cache outside
    access control would answer those who may not know; and where a layer refuses its options (ValueError too).
    """
    for outer, layer in pairwise(layers):
        if layer.stage < outer.stage:
            order = ", ".join(stage.name for stage in Stage)
            raise ConfigurationError(
                f"the layer {layer.name} ({layer.stage.name}) cannot stand inside {outer.name} "
                f"({outer.stage.name}); the order from the outside in is: {order}"
            )
    for layer in reversed(layers):
        app = _around(app, layer)
    return app


def _around(app: WSGIApplication, layer: Layer) -> WSGIApplication:
    try:
        return layer.factory(app, **layer.options)
    except (ConfigurationError, ValueError) as error:
        raise ConfigurationError(f"{layer.key or f'the layer {layer.name}'}: {error}") from error
