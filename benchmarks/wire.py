"""A connection to a server, and answers that must be what was expected."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from .errors import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_SECONDS = 300.0


class Target(Protocol):
    """A server as a client sees it."""

    @property
    def url(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


def connect(target: Target) -> closing[HTTPConnection]:
    """Return a connection, closed at the end of the `with` block."""
    return closing(HTTPConnection(urlsplit(target.url).netloc, timeout=ANSWER_SECONDS))


def answer(connection: HTTPConnection, expected: int) -> HTTPResponse:
    """Return the answer to the request just sent; another status than `expected` ends the run."""
    response = connection.getresponse()
    if response.status != expected:
        text = response.read(2000).decode(errors="replace").strip()
        raise BenchmarkError(f"{connection.host}:{connection.port} answered {response.status}, not {expected}: {text}")
    return response
