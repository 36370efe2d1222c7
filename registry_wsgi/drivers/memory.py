"""What the in-memory driver is made of: directories, and files with streams of them."""

from __future__ import annotations

import io
import os
import threading
import time
from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class File:
    """Content that only grows: what a reader has seen of it stays. `held` while a writer has it."""

    def __init__(self, content: bytes | bytearray) -> None:
        self.content = content
        self.held = False
        self.modified = time.time()
        self.lock = threading.Lock()

    def append(self, content: bytes | memoryview) -> int:
        """Append and return the new size; a bytearray grows without being copied each time."""
        with self.lock:
            if isinstance(self.content, bytes):
                self.content = bytearray(self.content)
            self.content += content
            self.modified = time.time()
            return len(self.content)

    def part(self, start: int, end: int) -> bytes:
        with self.lock:
            if isinstance(self.content, bytes):
                return self.content[start:end]  # All of it is the same object again.
            return bytes(memoryview(self.content)[start:end])


class Directory:
    """Children by name. Who is asked for pages of them keeps their order from then on."""

    def __init__(self) -> None:
        self.children: dict[str, Directory | File] = {}
        self.modified = time.time()
        self._ordered: list[str] | None = None

    def place(self, name: str, child: Directory | File) -> None:
        if self._ordered is not None and name not in self.children:
            insort(self._ordered, name)
        self.children[name] = child
        self.modified = time.time()

    def remove(self, name: str) -> None:
        del self.children[name]
        if self._ordered is not None:
            del self._ordered[bisect_left(self._ordered, name)]
        self.modified = time.time()

    def names_after(self, after: str, limit: int) -> list[str]:
        if self._ordered is None:
            self._ordered = sorted(self.children)
        start = bisect_right(self._ordered, after)
        return self._ordered[start : start + limit]


class InMemoryReader(io.RawIOBase):
    """A stream of what a file held when it was opened."""

    def __init__(self, file: File, offset: int) -> None:
        self._file = file
        self._position = offset
        self._end = len(file.content)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        self._check_closed()
        stop = self._end if size is None or size < 0 else min(self._position + size, self._end)
        part = self._file.part(self._position, stop) if stop > self._position else b""
        self._position += len(part)
        return part

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        part = self.read(len(view))
        view[: len(part)] = part
        return len(part)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._check_closed()
        position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._end}[whence]
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        self._position = position
        return position

    def _check_closed(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
