"""Functions of a host application, by their places in its code."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from registry_wsgi.errors import ConfigurationError


def function_at(place: str) -> Any:
    """Return the function at `package.module:name`. Raises ConfigurationError where there is none."""
    module, colon, name = place.partition(":")
    if not colon:
        raise ConfigurationError(f"function must be of the form package.module:name, not {place!r}")
    try:
        found = import_module(module)
        for word in name.split("."):
            found = getattr(found, word)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"function {place!r} cannot be imported: {error}") from None
    if not callable(found):
        raise ConfigurationError(f"function {place!r} is nothing that can be called")
    return found
