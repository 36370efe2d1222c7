"""What the layers do with answers: make one in the registry's form, hold one back, change the headers of one."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    Headers = list[tuple[str, str]]


def phrase(status: int) -> str:
    """Return the status line; proxies have statuses that no standard names."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unnamed"


def without(headers: Headers, name: str) -> Headers:
    return [(key, value) for key, value in headers if key.lower() != name.lower()]


def value_of(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key.lower() == name.lower()), "")


def changing(start_response: StartResponse, change: Callable[[Headers], Headers]) -> StartResponse:
    """Return a start_response that hands on what `change` makes of the headers."""

    def started(status: str, headers: Headers, exc_info: OptExcInfo | None = None, /) -> Callable[[bytes], object]:
        changed = change(headers)
        # Not every server's start_response takes a third argument that is None.
        return start_response(status, changed, exc_info) if exc_info else start_response(status, changed)

    return started


class Held:
    """The answer of an application, kept back until it is decided what becomes of it."""

    def __init__(self, app: Callable[..., Iterable[bytes]], environ: WSGIEnvironment) -> None:
        self.status = ""
        self.headers: Headers = []
        self.body = app(environ, self._started)

    def _started(self, status: str, headers: Headers, exc_info: object = None, /) -> Callable[[bytes], object]:
        self.status, self.headers = status, headers
        return _no_write

    @property
    def code(self) -> int:
        return int(self.status[:3])

    def let_go(self, start_response: StartResponse) -> Iterable[bytes]:
        """Answer with it."""
        start_response(self.status, self.headers)
        return self.body

    def replace(
        self, start_response: StartResponse, status: int, headers: Mapping[str, str], body: bytes = b""
    ) -> Iterable[bytes]:
        """Answer with something else."""
        self.drop()
        start_response(phrase(status), list(headers.items()))
        return [body] if body else []

    def drop(self) -> None:
        close = getattr(self.body, "close", None)
        if close is not None:
            close()


def _no_write(content: bytes) -> object:
    raise NotImplementedError(f"the registry does not write, but returns bodies; {len(content)} bytes are lost")
