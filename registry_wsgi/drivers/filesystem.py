"""Files below a directory of this machine, or of a network file system that knows flock.

What is durable when a call returns has been flushed: the file, its directory, and the parent of every
directory made on the way. What is not durable reaches the disk in the file system's own order: with a
journal, before whatever is flushed later. A path is one file, as in registry:2: either reads what the other wrote.
"""

# ruff: noqa: ARG002 - a driver's methods take the context; this one has no use for it.

from __future__ import annotations

import os
import stat
from functools import partial
from typing import TYPE_CHECKING, Final

from registry_wsgi.drivers.checks import check_offset, check_path
from registry_wsgi.drivers.directories import (
    flush_directories,
    list_names,
    parent,
    place_with_parents,
    remove_tree,
    with_parents,
)
from registry_wsgi.drivers.local import LocalFiles
from registry_wsgi.drivers.locked import LockedWriter, open_locked
from registry_wsgi.drivers.ordered import OrderedDirectories
from registry_wsgi.drivers.stream import FileStream
from registry_wsgi.drivers.unchanged import Holds, There
from registry_wsgi.drivers.whole import create, read_all, replace, replaced
from registry_wsgi.errors import ConfigurationError, DriverError, InvalidPath, PathBusy, PathNotFound
from registry_wsgi.interfaces import FileInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.context import Context

_Names = list[str]  # In the class, `list` is its method.

_FEWEST_THREADS = 25
DEFAULT_ROOT: Final = "/var/lib/registry"


class FilesystemDriver:
    """The storage driver `filesystem`.

    `rootdirectory` is made with the first write. `maxthreads` bounds the threads of registry:2 (which raises
    less than 25 to 25); it is checked and kept, but bounds nothing: the server's threads are all there are.
    Raises ConfigurationError.
    """

    name = "filesystem"

    def __init__(self, *, rootdirectory: str | os.PathLike[str] = DEFAULT_ROOT, maxthreads: int | str = 100) -> None:
        self.rootdirectory = _checked_root(rootdirectory)
        self.maxthreads = max(_checked_threads(maxthreads), _FEWEST_THREADS)
        self._ordered = OrderedDirectories()
        self._files = LocalFiles(self.rootdirectory)

    def get_content(self, ctx: Context, path: str) -> bytes:
        located = self._locate(path)
        try:
            return read_all(located)
        except OSError as error:
            raise self._failed_to_find(path, error) from error

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        located = self._locate(path)
        changed = [parent(located)]
        try:
            if not replaced(located, content, durable=durable):
                make = partial(create, content=content, durable=durable)
                if not place_with_parents(located, self.rootdirectory, make, changed):
                    with_parents(located, lambda: replace(located, content, durable=durable), changed)
            if durable:
                flush_directories(changed)
        except OSError as error:
            raise self._failed_to_write(path, error) from error

    def reader(self, ctx: Context, path: str, offset: int = 0) -> FileStream:
        located = self._locate(path)
        check_offset(self.name, path, offset)
        try:
            return FileStream(self.name, path, located, offset)
        except OSError as error:
            raise self._failed_to_find(path, error) from error

    def writer(self, ctx: Context, path: str, *, append: bool = False) -> LockedWriter:
        located = self._locate(path)
        changed = [] if append else [parent(located)]
        try:
            if append:
                opened = open_locked(located)
            else:
                opened = with_parents(located, lambda: open_locked(located, new=True), changed)
        except BlockingIOError as error:
            raise PathBusy(self.name, path) from error
        except OSError as error:
            failed = self._failed_to_find if append else self._failed_to_write
            raise failed(path, error) from error
        return LockedWriter(self.name, path, located, opened, changed)

    def stat(self, ctx: Context, path: str) -> FileInfo:
        located = self._locate(path, root_allowed=True)
        try:
            found = os.stat(located)
        except OSError as error:
            raise self._failed_to_find(path, error) from error
        is_directory = stat.S_ISDIR(found.st_mode)
        return FileInfo(path, 0 if is_directory else found.st_size, found.st_mtime, is_directory)

    def list_after(self, ctx: Context, path: str, after: str, limit: int) -> list[str]:
        """Return names as `list` does; those of a large directory are read when it has changed, see `ordered`."""
        return self._names(path, lambda located: self._ordered.names_after(located, after, limit))

    def list(self, ctx: Context, path: str) -> list[str]:
        """Return the children whose names a storage path can have; the root is empty before the first write."""
        prefix = path.rstrip("/")
        return [f"{prefix}/{name}" for name in self._names(path, list_names)]

    def move(self, ctx: Context, source: str, target: str) -> None:
        located, new = self._locate(source), self._locate(target)
        changed = [parent(new)]

        def rename() -> None:
            try:
                os.replace(located, new)
            except (FileNotFoundError, NotADirectoryError) as error:
                if not os.path.lexists(located):
                    raise PathNotFound(self.name, source) from error
                raise

        try:
            with_parents(new, rename, changed)
            flush_directories(changed)
        except OSError as error:
            raise self._failed_to_write(target, error) from error

    def delete(self, ctx: Context, path: str) -> None:
        located = self._locate(path)
        try:
            try:
                os.unlink(located)
            except IsADirectoryError:
                remove_tree(located)
        except OSError as error:
            raise self._failed_to_find(path, error) from error

    def probe(self, path: str, content: bytes | None = None) -> Callable[[], bool]:
        located = os.fsencode(self._locate(path))
        return There(located, self._files) if content is None else Holds(located, content, self._files)

    def _names(self, path: str, read: Callable[[str], _Names]) -> _Names:
        located = self._locate(path, root_allowed=True)
        try:
            return read(located)
        except OSError as error:
            if path == "/" and isinstance(error, FileNotFoundError):
                return []
            raise self._failed_to_find(path, error) from error

    def _locate(self, path: str, *, root_allowed: bool = False) -> str:
        check_path(self.name, path, root_allowed=root_allowed)
        return self.rootdirectory + path

    def _failed_to_find(self, path: str, error: OSError) -> DriverError:
        if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
            return PathNotFound(self.name, path)
        return DriverError(self.name, f"{path}: {error.strerror}")

    def _failed_to_write(self, path: str, error: OSError) -> DriverError:
        if isinstance(error, NotADirectoryError):  # A file stands where a parent is needed.
            return InvalidPath(self.name, path)
        return DriverError(self.name, f"{path}: {error.strerror}")


def _checked_root(value: object) -> str:
    if not isinstance(value, str | os.PathLike) or not os.fspath(value) or "\0" in os.fspath(value):
        raise ConfigurationError(f"filesystem: rootdirectory must be the path of a directory, not {value!r}")
    root = os.path.abspath(value)
    standing = root
    while not os.path.lexists(standing):  # it is made with the first write, and its parents too
        standing = os.path.dirname(standing)
    if not os.path.isdir(standing):
        raise ConfigurationError(f"filesystem: rootdirectory must be the path of a directory; {standing} is none")
    return root.rstrip("/")


def _checked_threads(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"filesystem: maxthreads must be a whole number, not {value!r}")
    return value
