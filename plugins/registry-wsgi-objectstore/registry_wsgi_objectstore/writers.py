"""A writer that puts what it is given piece by piece, for itself or a later one to go on."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from registry_wsgi.drivers.checks import check_open
from registry_wsgi.errors import PathNotFound
from registry_wsgi_objectstore.objects import PART
from registry_wsgi_objectstore.pieces import piece_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi_objectstore.locks import Lock
    from registry_wsgi_objectstore.objects import Objects


class PieceWriter:
    """A FileWriter of a path that is held by `lock`. A piece has `PART` bytes, unless it is flushed before.

    A commit only flushes: pieces are read as one file, and made one object where the file is moved.
    """

    def __init__(self, objects: Objects, lock: Lock, size: int, remove: Callable[[], object]) -> None:
        self.size = size
        self._objects = objects
        self._lock = lock
        self._remove = remove
        self._put_size = size
        self._buffer = bytearray()
        self._ended = ""
        self._closed = False

    def write(self, content: bytes | memoryview, /) -> int:
        check_open(self._ended)
        self._buffer += content
        self.size += len(content)
        while len(self._buffer) >= PART:
            self._lock.renew()
            self._put(PART)
        return len(content)

    def flush(self) -> None:
        check_open(self._ended)
        self._lock.renew()
        if self._buffer:
            self._put(len(self._buffer))

    def commit(self) -> None:
        self.flush()
        self._ended = "committed"

    def cancel(self) -> None:
        check_open(self._ended)
        self._lock.renew()
        self._remove()
        self._ended = "cancelled"

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            if not self._ended:
                with suppress(PathNotFound):  # what went away is nobody's to keep
                    self.flush()
        finally:
            self._ended = self._ended or "closed"
            self._lock.release()

    def _put(self, size: int) -> None:
        # Whoever took the hold over meanwhile may have put a piece here: it is never written over.
        self._objects.create(piece_path(self._lock.path, self._put_size), bytes(self._buffer[:size]))
        self._put_size += size
        del self._buffer[:size]
