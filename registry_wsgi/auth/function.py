"""The controller `callable`: the host application decides, in a function of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.interfaces import Grant
from registry_wsgi.places import function_at

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import Access, Authorize


class CallableController:
    """Calls `function(environ, access)`, which returns a Grant, or raises Unauthorized or Denied.

    `function` is a callable or, in a file, its place as `package.module:name`. What else the function raises is a
    bug of the host's, and nobody is let in by it. Raises ConfigurationError.
    """

    def __init__(self, *, function: str | Authorize) -> None:
        self._function: Authorize = function_at(function) if isinstance(function, str) else function

    def authorize(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:  # noqa: ARG002
        grant = self._function(environ, access)
        if not isinstance(grant, Grant):
            raise TypeError(f"access: the function must return a Grant, or raise Unauthorized or Denied; not {grant!r}")
        return grant
