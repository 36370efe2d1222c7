"""The controller `callable`: the host application decides, in a function of its own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import Access, Authorize, Grant


class CallableController:
    """Calls `function(environ, access)`, which returns a Grant, or raises Unauthorized or Denied.

    `function` is a callable or, in a file, its place as `package.module:name`. What else the function raises is a
    bug of the host's, and nobody is let in by it. Raises ConfigurationError.
    """

    def __init__(self, *, function: str | Authorize) -> None:
        self._function: Authorize = _imported(function) if isinstance(function, str) else function

    def authorize(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:  # noqa: ARG002
        return self._function(environ, access)


def _imported(place: str) -> Any:
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
