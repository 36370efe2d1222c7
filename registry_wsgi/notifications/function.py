"""The sink `callable`: the host application gets events as Python objects, in its own process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.places import function_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.interfaces import Notification


class CallableSink:
    """Calls `function(event)` in a thread; an event with which it raises anything is handed over again.

    `function` is a callable or, in a file, its place as `package.module:name`. Raises ConfigurationError.
    """

    in_process = True

    def __init__(self, *, function: str | Callable[[Notification], object]) -> None:
        self._function = function_at(function) if isinstance(function, str) else function

    def send(self, event: Notification) -> str:
        self._function(event)
        return ""

    def close(self) -> None:
        """Nothing is open."""
