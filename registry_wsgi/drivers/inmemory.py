"""Files in the memory of this process, for tests and for trying the registry out: all is gone when it ends."""

# ruff: noqa: ARG002 - a driver's methods take the context; this one has no use for it.

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from registry_wsgi.drivers.checks import check_offset, check_open, check_path
from registry_wsgi.drivers.memory import Directory, File, InMemoryReader
from registry_wsgi.errors import DriverError, InvalidPath, PathBusy, PathNotFound
from registry_wsgi.interfaces import FileInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.context import Context


class InMemoryDriver:
    """The storage driver `inmemory`. It has no parameters."""

    name = "inmemory"

    def __init__(self) -> None:
        self._root = Directory()
        self._lock = threading.Lock()  # Of the tree; contents have locks of their own.

    def get_content(self, ctx: Context, path: str) -> bytes:
        check_path(self.name, path)
        with self._lock:
            file = self._file(path)
        return file.part(0, len(file.content))

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        check_path(self.name, path)
        file = File(bytes(content))
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
            if isinstance(there, File) and there.held:
                raise PathBusy(self.name, path)
            file = self._file(path) if append else self._place(path, File(bytearray()))
            file.held = True
        return InMemoryWriter(self, path, file)

    def stat(self, ctx: Context, path: str) -> FileInfo:
        check_path(self.name, path, root_allowed=True)
        with self._lock:
            node = self._find(path)
        if isinstance(node, File):
            return FileInfo(path, len(node.content), node.modified, is_directory=False)
        if isinstance(node, Directory):
            return FileInfo(path, 0, node.modified, is_directory=True)
        raise PathNotFound(self.name, path)

    def list_after(self, ctx: Context, path: str, after: str, limit: int) -> list[str]:
        check_path(self.name, path, root_allowed=True)
        with self._lock:
            node = self._find(path)
            if isinstance(node, Directory):
                return node.names_after(after, limit)
        raise PathNotFound(self.name, path)

    def list(self, ctx: Context, path: str) -> list[str]:
        check_path(self.name, path, root_allowed=True)
        prefix = path.rstrip("/")
        with self._lock:
            node = self._find(path)
            if isinstance(node, Directory):
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

    def probe(self, path: str, content: bytes | None = None) -> Callable[[], bool]:
        check_path(self.name, path)
        return partial(self._holds, path, content)

    def _holds(self, path: str, content: bytes | None) -> bool:
        with self._lock:
            file = self._find(path)
        return isinstance(file, File) and (content is None or file.content == content)

    def check_held(self, path: str, file: File, *, remove: bool = False) -> None:
        """Raise PathNotFound where the path no longer means the writer's file; `remove` it if it does."""
        with self._lock:
            if self._find(path) is not file:
                raise PathNotFound(self.name, path)
            if remove:
                self._remove(path)

    # The rest is called with the tree's lock held.

    def _find(self, path: str) -> Directory | File | None:
        node: Directory | File | None = self._root
        for component in filter(None, path.split("/")):
            node = node.children.get(component) if isinstance(node, Directory) else None
        return node

    def _file(self, path: str) -> File:
        node = self._find(path)
        if not isinstance(node, File):
            raise PathNotFound(self.name, path)
        return node

    def _place(self, path: str, file: File) -> File:
        """Put the file at the path and make its parents. Nothing is changed where that cannot be."""
        *parents, name = path.split("/")[1:]
        directory = self._root
        for component in parents:
            child = directory.children.get(component)
            if child is None:
                child = Directory()
                directory.place(component, child)
            if isinstance(child, File):
                raise InvalidPath(self.name, path)
            directory = child
        if isinstance(directory.children.get(name), Directory):
            raise DriverError(self.name, f"{path}: Is a directory")
        directory.place(name, file)
        return file

    def _remove(self, path: str) -> None:
        parent, _, name = path.rpartition("/")
        directory = self._find(parent)
        if isinstance(directory, Directory):
            directory.remove(name)


class InMemoryWriter:
    """The FileWriter of a file that it holds: readers that open the path see what is written so far.

    `flush`, `commit` and `cancel` raise PathNotFound where the file was deleted, moved or replaced meanwhile.
    """

    def __init__(self, driver: InMemoryDriver, path: str, file: File) -> None:
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
