"""A request's body whose bytes are counted as they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import InputStream


class CountedInput:
    """A `wsgi.input` around another one; `size` is how many bytes have been read."""

    def __init__(self, stream: InputStream) -> None:
        self.size = 0
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        return self._counted(self._stream.read(size))

    def readline(self, size: int = -1, /) -> bytes:
        return self._counted(self._stream.readline(size))

    def readlines(self, hint: int = -1, /) -> list[bytes]:
        return [self._counted(line) for line in self._stream.readlines(hint)]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _counted(self, content: bytes) -> bytes:
        self.size += len(content)
        return content
