"""Files in the memory of this process, for tests and for trying the registry out: all is gone when it ends."""

# ruff: noqa: ARG002 - a driver's methods take the context; this one has no use for it.

from __future__ import annotations

import io
import os
import threading
import time
from typing import TYPE_CHECKING

from registry_wsgi.drivers.checks import check_offset, check_open, check_path
from registry_wsgi.errors import DriverError, InvalidPath, PathBusy, PathNotFound
from registry_wsgi.interfaces import FileInfo

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from registry_wsgi.context import Context


class _File:
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


class _Directory:
    def __init__(self) -> None:
        self.children: dict[str, _Directory | _File] = {}
        self.modified = time.time()


class InMemoryDriver:
    """The storage driver `inmemory`. It has no parameters."""

    name = "inmemory"

    def __init__(self) -> None:
        self._root = _Directory()
        self._lock = threading.Lock()  # Of the tree; contents have locks of their own.

    def get_content(self, ctx: Context, path: str) -> bytes:
        check_path(self.name, path)
        with self._lock:
            file = self._file(path)
        return file.part(0, len(file.content))

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        check_path(self.name, path)
        file = _File(bytes(content))
        with self._lock:
            self._place(path, file)

    def reader(self, ctx: Context, path: str, offset: int = 0) -> InMemoryReader:
        """Return a stream of what the file holds now."""
        check_path(self.name, path)
        check_offset(self.name, path, offset)
        with self._lock:
            return InMemoryReader(self._file(path), offset)

    def writer(self, ctx: Context, path: str, *, append: bool = False) -> InMemoryWriter:
        check_path(self.name, path)
        with self._lock:
            there = self._find(path)
            if isinstance(there, _File) and there.held:
                raise PathBusy(self.name, path)
            file = self._file(path) if append else self._place(path, _File(bytearray()))
            file.held = True
        return InMemoryWriter(self, path, file)

    def stat(self, ctx: Context, path: str) -> FileInfo:
        check_path(self.name, path, root_allowed=True)
        with self._lock:
            node = self._find(path)
        if isinstance(node, _File):
            return FileInfo(path, len(node.content), node.modified, is_directory=False)
        if isinstance(node, _Directory):
            return FileInfo(path, 0, node.modified, is_directory=True)
        raise PathNotFound(self.name, path)

    def list(self, ctx: Context, path: str) -> list[str]:
        check_path(self.name, path, root_allowed=True)
        prefix = path.rstrip("/")
        with self._lock:
            node = self._find(path)
            if isinstance(node, _Directory):
                return [f"{prefix}/{name}" for name in node.children]
        raise PathNotFound(self.name, path)

    def move(self, ctx: Context, source: str, target: str) -> None:
        check_path(self.name, source)
        check_path(self.name, target)
        with self._lock:
            file = self._file(source)
            if source != target:
                self._place(target, file)
                self._remove(source)

    def delete(self, ctx: Context, path: str) -> None:
        check_path(self.name, path)
        with self._lock:
            if self._find(path) is None:
                raise PathNotFound(self.name, path)
            self._remove(path)

    def check_held(self, path: str, file: _File, *, remove: bool = False) -> None:
        """Raise PathNotFound where the path no longer means the writer's file; `remove` it if it does."""
        with self._lock:
            if self._find(path) is not file:
                raise PathNotFound(self.name, path)
            if remove:
                self._remove(path)

    # The rest is called with the tree's lock held.

    def _find(self, path: str) -> _Directory | _File | None:
        node: _Directory | _File | None = self._root
        for component in filter(None, path.split("/")):
            node = node.children.get(component) if isinstance(node, _Directory) else None
        return node

    def _file(self, path: str) -> _File:
        node = self._find(path)
        if not isinstance(node, _File):
            raise PathNotFound(self.name, path)
        return node

    def _place(self, path: str, file: _File) -> _File:
        """Put the file at the path and make its parents. Nothing is changed where that cannot be."""
        *parents, name = path.split("/")[1:]
        directory = self._root
        for component in parents:
            child = directory.children.get(component)
            if child is None:
                child = directory.children[component] = _Directory()
            if isinstance(child, _File):
                raise InvalidPath(self.name, path)
            directory = child
        if isinstance(directory.children.get(name), _Directory):
            raise DriverError(self.name, f"{path}: Is a directory")
        directory.children[name] = file
        directory.modified = time.time()
        return file

    def _remove(self, path: str) -> None:
        parent, _, name = path.rpartition("/")
        directory = self._find(parent)
        if isinstance(directory, _Directory):
            del directory.children[name]
            directory.modified = time.time()


class InMemoryReader(io.RawIOBase):
    """A stream of what a file held when it was opened."""

    def __init__(self, file: _File, offset: int) -> None:
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


class InMemoryWriter:
    """The FileWriter of a file that it holds: readers that open the path see what is written so far.

    `flush`, `commit` and `cancel` raise PathNotFound where the file was deleted, moved or replaced meanwhile.
    """

    def __init__(self, driver: InMemoryDriver, path: str, file: _File) -> None:
        self._driver = driver
        self._path = path
        self._file = file
        self._ended = ""
        self.size = len(file.content)

    def write(self, content: bytes | memoryview, /) -> int:
        check_open(self._ended)
        before, self.size = self.size, self._file.append(content)
        return self.size - before

    def flush(self) -> None:
        check_open(self._ended)
        self._driver.check_held(self._path, self._file)

    def commit(self) -> None:
        self.flush()
        self._ended = "committed"

    def cancel(self) -> None:
        check_open(self._ended)
        self._driver.check_held(self._path, self._file, remove=True)
        self._ended = "cancelled"

    def close(self) -> None:
        if self._ended != "closed":
            self._ended = "closed"
            self._file.held = False
