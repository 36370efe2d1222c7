"""A storage driver of one's own: files wherever fsspec reaches, from memory to buckets and SFTP.

What fsspec cannot do is done in this process or not at all; README.md says what follows from that.
"""

# ruff: noqa: ARG002 - a driver's methods take the context; this one has no use for it.

from __future__ import annotations

import os
import posixpath
import shutil
import threading
import uuid
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import fsspec

from registry_wsgi.drivers.checks import check_offset, check_open, check_path
from registry_wsgi.errors import DriverError, InvalidPath, PathBusy, PathNotFound
from registry_wsgi.interfaces import FileInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from registry_wsgi.context import Context

BLOCK = 1024 * 1024
ATTEMPTS = 1000


class FsspecDriver:
    """The storage driver `fsspec`: below `rootdirectory` of the file system that has `protocol`, made with `options`.

    One process may write at a time. Raises ValueError for a protocol that fsspec does not know.
    """

    name = "fsspec"

    def __init__(self, *, protocol: str, rootdirectory: str = "/", options: Mapping[str, Any] | None = None) -> None:
        try:
            self._fs = fsspec.filesystem(protocol, use_listings_cache=False, **(options or {}))
        except ImportError as error:
            raise ValueError(f"protocol: {error}") from error
        self._root = rootdirectory.rstrip("/")
        self._lock = threading.Lock()  # of the writers alone: nobody waits for a store under it
        self._writers: dict[str, FsspecWriter] = {}
        # All who open a file of fsspec's memory get the same object, with one position.
        self._reading = threading.Lock() if protocol == "memory" else nullcontext()

    def get_content(self, ctx: Context, path: str) -> bytes:
        check_path(self.name, path)
        with self._errors(path):
            self._check_file(path)
            content: bytes = self._fs.cat_file(self._full(path))
            return content

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        check_path(self.name, path)
        with self._errors(path):
            self._forget(path)
            self._place(path, bytes(content))

    def reader(self, ctx: Context, path: str, offset: int = 0) -> FsspecReader:
        check_path(self.name, path)
        check_offset(self.name, path, offset)
        with self._errors(path):
            self._check_file(path)
            return FsspecReader(self._fs.open(self._full(path), "rb", cache_type="none"), offset, self._reading)

    def writer(self, ctx: Context, path: str, *, append: bool = False) -> FsspecWriter:
        check_path(self.name, path)
        writer = FsspecWriter(self, path)
        with self._lock:
            if path in self._writers:
                raise PathBusy(self.name, path)
            self._writers[path] = writer
        try:
            with self._errors(path):
                writer.start(append=append)
        except DriverError:
            writer.close()
            raise
        return writer

    def stat(self, ctx: Context, path: str) -> FileInfo:
        check_path(self.name, path, root_allowed=True)
        with self._errors(path):
            if path == "/":
                self._fs.makedirs(self._full(path), exist_ok=True)
            info = self._fs.info(self._full(path))
            directory = info["type"] == "directory"
            return FileInfo(path, 0 if directory else info["size"], self._modified(info), is_directory=directory)

    def list(self, ctx: Context, path: str) -> list[str]:
        check_path(self.name, path, root_allowed=True)
        if not self.stat(ctx, path).is_directory:
            raise PathNotFound(self.name, path)
        with self._errors(path):
            names = [posixpath.basename(each.rstrip("/")) for each in self._fs.ls(self._full(path), detail=False)]
            self._fs.info(self._full(path))  # of one that was deleted meanwhile it may be a part
        return [f"{path.rstrip('/')}/{name}" for name in names if not name.startswith("~")]

    def move(self, ctx: Context, source: str, target: str) -> None:
        check_path(self.name, source)
        check_path(self.name, target)
        with self._errors(source):
            self._check_file(source)
        if source != target:
            with self._errors(target):
                self._forget(source)
                self._forget(target)
                self._rename(self._full(source), target)

    def delete(self, ctx: Context, path: str) -> None:
        check_path(self.name, path)
        with self._errors(path):
            self._fs.info(self._full(path))
            self._forget(path)
            # What is renamed is gone at once, and whole until then.
            if self._local:
                aside = self._aside()
                os.rename(self._full(path), aside)
                shutil.rmtree(aside, ignore_errors=True)  # a file that is put there this very moment stays aside
                with suppress(OSError):
                    os.unlink(aside)
            else:
                self._fs.rm(self._full(path), recursive=True)

    # ── for readers and writers ──

    def load(self, path: str, target: Any) -> int:
        """Copy the file to the end of `target`, a file of this machine; return its size."""
        with self._errors(path):
            size = self._check_file(path)
            with self._fs.open(self._full(path), "rb") as source:
                source.seek(0)
                shutil.copyfileobj(source, target, BLOCK)
            return size

    def keep(self, path: str, source: Any) -> None:
        """Put what `source`, a file of this machine, holds at the path."""
        with self._errors(path):
            source.seek(0)
            self._place(path, source)

    def holds(self, path: str, writer: FsspecWriter) -> bool:
        with self._lock:
            return self._writers.get(path) is writer

    def let_go(self, path: str, writer: FsspecWriter) -> None:
        with self._lock:
            if self._writers.get(path) is writer:
                del self._writers[path]

    # ── the store ──

    @property
    def _local(self) -> bool:
        return bool(getattr(self._fs, "local_file", False))

    def _full(self, path: str) -> str:
        return self._root + path if path != "/" else self._root or "/"

    def _aside(self) -> str:
        """Return a new name that no path of a driver can have."""
        self._fs.makedirs(self._full("/"), exist_ok=True)
        return f"{self._root}/~{uuid.uuid4()}"

    def _place(self, path: str, content: Any) -> None:
        """Write bytes or a file in one step: a local one is renamed, and other stores show a file when it is whole."""
        full = self._aside() if self._local else self._full(path)
        self._check_place(path)
        if isinstance(content, bytes):
            self._fs.pipe_file(full, content)
        else:
            with self._fs.open(full, "wb") as target:
                shutil.copyfileobj(content, target, BLOCK)
        if self._local:
            self._rename(full, path)

    def _rename(self, source: str, target: str) -> None:
        self._check_place(target)
        full = self._full(target)
        if self._local:
            for _ in range(ATTEMPTS):  # somebody may delete the parents that were just made
                with suppress(FileNotFoundError, FileExistsError):
                    self._fs.makedirs(posixpath.dirname(full), exist_ok=True)
                    os.replace(source, full)  # fsspec's own move may become a copy
                    return
            raise DriverError(self.name, f"{target}: its directories are deleted again and again")
        self._fs.cp_file(source, full)
        self._fs.rm_file(source)

    def _check_place(self, path: str) -> None:
        parent = posixpath.dirname(path)
        while parent != "/":
            if self._fs.isfile(self._full(parent)):
                raise InvalidPath(self.name, path)
            parent = posixpath.dirname(parent)
        if self._fs.isdir(self._full(path)):
            raise DriverError(self.name, f"{path} is a directory")

    def _check_file(self, path: str) -> int:
        """Return the size of the file. Raises PathNotFound for a directory, too."""
        info = self._fs.info(self._full(path))
        if info["type"] != "file":
            raise PathNotFound(self.name, path)
        return int(info["size"])

    def _forget(self, path: str) -> None:
        """Let writers at the path, and below it, know that their file is gone."""
        with self._lock:
            for held in [held for held in self._writers if held == path or held.startswith(f"{path}/")]:
                del self._writers[held]

    def _modified(self, info: Mapping[str, Any]) -> float:
        found = next((info[key] for key in ("mtime", "LastModified", "last_modified", "created") if info.get(key)), 0)
        return found.timestamp() if isinstance(found, datetime) else float(found)

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        """Raise what the store says in a driver's words."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise PathNotFound(self.name, path) from error
        except (OSError, ValueError) as error:
            raise DriverError(self.name, f"{path}: {error}") from error


class FsspecReader:
    """A FileReader over a file that fsspec opened."""

    def __init__(self, file: Any, offset: int, lock: AbstractContextManager[Any]) -> None:
        self._file = file
        self._size = int(file.size)
        self._position = offset
        self._lock = lock
        self._closed = False

    def read(self, size: int = -1, /) -> bytes:
        if self._closed:
            raise ValueError("the reader is closed")
        end = self._size if size < 0 else min(self._position + size, self._size)
        if end <= self._position:
            return b""
        try:
            with self._lock:
                self._file.seek(self._position)
                content: bytes = self._file.read(end - self._position)
        except OSError as error:
            raise DriverError(FsspecDriver.name, str(error)) from error
        self._position += len(content)
        return content

    def readinto(self, buffer: memoryview, /) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if self._closed:
            raise ValueError("the reader is closed")
        position = offset + (0, self._position, self._size)[whence]
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        self._position = position
        return position

    def close(self) -> None:
        self._closed = True
        self._file.close()


class FsspecWriter:
    """A FileWriter whose content is in a file of this machine until it is flushed, committed or closed."""

    def __init__(self, driver: FsspecDriver, path: str) -> None:
        self.size = 0
        self._driver = driver
        self._path = path
        self._file = TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._ended = ""
        self._kept = True

    def start(self, *, append: bool) -> None:
        if append:
            self.size = self._driver.load(self._path, self._file)
        else:
            self._driver.keep(self._path, self._file)

    def write(self, content: bytes | memoryview, /) -> int:
        check_open(self._ended)
        self._file.seek(0, 2)
        self._file.write(content)
        self.size += len(content)
        self._kept = False
        return len(content)

    def flush(self) -> None:
        check_open(self._ended)
        self._keep()

    def commit(self) -> None:
        check_open(self._ended)
        self._keep()
        self._ended = "committed"

    def cancel(self) -> None:
        check_open(self._ended)
        self._check_held()
        self._driver.delete(None, self._path)  # type: ignore[arg-type]  # the context is not used
        self._ended = "cancelled"

    def close(self) -> None:
        if self._ended == "closed":
            return
        try:
            if not self._ended and self._driver.holds(self._path, self):
                self._keep()
        finally:
            self._ended = "closed"
            self._driver.let_go(self._path, self)
            self._file.close()

    def _keep(self) -> None:
        self._check_held()
        if not self._kept:
            self._driver.keep(self._path, self._file)
            self._kept = True

    def _check_held(self) -> None:
        if not self._driver.holds(self._path, self):
            raise PathNotFound(self._driver.name, self._path)
