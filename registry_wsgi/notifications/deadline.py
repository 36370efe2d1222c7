"""How long a request to an endpoint may take in all: a socket's own timeout begins anew with each byte."""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket


class Deadline:
    """The end of one request, however slowly it is answered, so many seconds from now."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left. Raises TimeoutError where there are none."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def response(self, sock: socket.socket, *arguments: object, **options: object) -> http.client.HTTPResponse:
        """Return the answer on a socket, as http.client makes it; reading it ends in time."""
        return http.client.HTTPResponse(_Timed(sock, self), *arguments, **options)  # type: ignore[arg-type]


class _Timed:
    """A socket to be read from, as http.client wants it."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002
        return io.BufferedReader(_TimedReader(self._sock, self._deadline))


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._sock.settimeout(self._deadline.left())
        return self._sock.recv_into(buffer)
