"""Streams of one object or of several, as one file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from registry_wsgi.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry_wsgi_objectstore.objects import Found, Objects

_NOTHING = memoryview(b"")


class PartsReader:
    """A FileReader over parts that follow one another. A request is made when bytes are wanted that none is for yet.

    `begun` is the stream of the only part, from its start, where it was asked for already.
    """

    def __init__(
        self, objects: Objects, parts: Sequence[Found], offset: int = 0, begun: Iterator[memoryview] | None = None
    ) -> None:
        self._objects = objects
        self._parts = parts
        self._size = sum(part.size for part in parts)
        self._position = offset
        self._stream = begun
        self._left = _NOTHING

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(self._size + 1), b""))
        if not self._left:
            self._left = self._next()
        taken, self._left = self._left[:size], self._left[size:]
        self._position += len(taken)
        return bytes(taken)

    def readinto(self, buffer: memoryview, /) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset != self._position:
            self.close()
            self._position = base + offset
        return self._position

    def close(self) -> None:
        self._stream, self._left = None, _NOTHING

    def _next(self) -> memoryview:
        """Return the next bytes there are, none at the end."""
        while self._position < self._size:
            if self._stream is None:
                self._stream = self._from_here()
            block = next(self._stream, None)
            if block:
                return block
            if block is None:
                self._stream = None
        return _NOTHING

    def _from_here(self) -> Iterator[memoryview]:
        start = 0
        for part in self._parts:
            if self._position < start + part.size:
                return self._objects.stream(part, self._position - start)
            start += part.size
        raise DriverError(self._objects.name, f"nothing is at {self._position} of {self._size} bytes")
