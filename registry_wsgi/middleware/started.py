"""What a layer learns of an answer while it is begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse


class Started:
    """A start_response that remembers what it was called with; `status` is empty before that."""

    __slots__ = ("_start_response", "headers", "status")

    def __init__(self, start_response: StartResponse) -> None:
        self._start_response = start_response
        self.status = ""
        self.headers: Sequence[tuple[str, str]] = ()

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        self.status, self.headers = status, tuple(headers)  # a copy: layers outside may add to the list
        # Not every server's start_response takes a third argument that is None.
        return self._start_response(status, headers, exc_info) if exc_info else self._start_response(status, headers)

    def header(self, name: str) -> str:
        """Return the value of the header of that name, in lower case, empty where there is none."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return ""
