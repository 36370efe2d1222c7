"""Storage drivers, bytes at paths, and the abilities that one may have beyond that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry_wsgi.context import Context


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What is at a path: size in bytes (0 for a directory), time of the last change in seconds since the epoch."""

    path: str
    size: int
    modified: float
    is_directory: bool


class FileReader(Protocol):
    """A seekable stream of a stored file. `read` may return less than asked; `b""` is the end.

    All methods raise DriverError where storage fails.
    """

    def read(self, size: int = -1, /) -> bytes: ...
    def readinto(self, buffer: memoryview, /) -> int | None: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def close(self) -> None: ...


class FileWriter(Protocol):
    """The only writer of one path. `size` counts what earlier writers appended too.

    After `commit` or `cancel` only `close` may follow; anything else raises ValueError.
    Closing is idempotent and, without a commit, keeps what was written for a later writer.
    """

    size: int

    def write(self, content: bytes | memoryview, /) -> int: ...
    def flush(self) -> None:
        """Make durable what was written so far, for a later writer to append to.

        The entry of a file that is appended to is as durable as it was made.
        """

    def commit(self) -> None:
        """Make the content durable and visible. The path stays held until `close`."""

    def cancel(self) -> None:
        """Delete the content."""

    def close(self) -> None: ...


@runtime_checkable
class CommittingFlushed(Protocol):
    """The ability of a writer to commit without flushing again what was flushed before."""

    def commit_flushed(self) -> None:
        """Commit content all of which the `flush` of an earlier writer has made durable."""


class StorageDriver(Protocol):
    """Bytes at absolute paths. A path is `(/[A-Za-z0-9._-]+)+` without `.` and `..` components.

    All methods raise InvalidPath for another path and, where the path must exist, PathNotFound.
    """

    name: str

    def get_content(self, ctx: Context, path: str) -> bytes:
        """Return the whole file: a reader sees all of one `put_content` or nothing of it."""

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        """Write or replace the file and make its parents; `durable` means flushed before it returns."""

    def reader(self, ctx: Context, path: str, offset: int = 0) -> FileReader:
        """Return a stream from `offset`; at or past the end it is empty. A negative one raises InvalidOffset."""

    def writer(self, ctx: Context, path: str, *, append: bool = False) -> FileWriter:
        """Return a writer: of a new, empty file, or at the end of what earlier writers left.

        Appending to a missing path raises PathNotFound; a path that is being written, PathBusy.
        """

    def stat(self, ctx: Context, path: str) -> FileInfo: ...

    def list(self, ctx: Context, path: str) -> list[str]:
        """Return the absolute paths of the direct children, in any order."""

    def move(self, ctx: Context, source: str, target: str) -> None:
        """Rename a file, replacing the target in one step; durable when it returns."""

    def delete(self, ctx: Context, path: str) -> None:
        """Delete the file, or the directory with all below it."""


@runtime_checkable
class Redirecting(Protocol):
    """The ability of a driver to let clients get files from somewhere else."""

    def redirect_url(self, ctx: Context, path: str, method: str) -> str:
        """Return the URL for GET or HEAD of the file, empty where there is none. The file need not exist."""


@runtime_checkable
class OrderedLister(Protocol):
    """The ability of a driver to list a part of a directory, in order, at the cost of that part."""

    def list_after(self, ctx: Context, path: str, after: str, limit: int) -> list[str]:
        """Return the names of the first `limit` children after `after`, in byte order; fewer are all there are.

        `after` is any text, which need not be a name. The order is that of the names alone, whether files or
        directories: `a`, `a-b`, `a.b`. A change by whomever is seen at once. Raises PathNotFound.
        """


@runtime_checkable
class Probing(Protocol):
    """The ability of a driver to tell at little cost whether what was found at a path is there still."""

    def probe(self, path: str, content: bytes | None = None) -> Callable[[], bool] | None:
        """Return a function that tells whether the file is there and, where `content` is given, holds just that.

        What has changed by whomever is seen by the next call, but for a directory above the path that is renamed: that
        may be missed for a second. Where it cannot tell, for whatever reason, the function says no. None is for a
        driver around another that cannot do it.
        Raises InvalidPath.
        """


@runtime_checkable
class Staging(Protocol):
    """The ability of a driver whose unfinished writes are nowhere to be seen: at a path is what was committed."""

    def stage(self, ctx: Context, path: str) -> FileWriter | None:
        """Return a writer of new content, which replaces what is at the path in the moment of its commit.

        Any number of them may write one path at once, and none can be gone on with: closed without a commit it is
        gone. None where the driver, such as one around another, cannot do that after all.
        """

    def staged(self, ctx: Context, path: str) -> FileInfo:
        """Return what `stat` would if what the path's `writer` has flushed were committed. Raises PathNotFound."""

    def abandoned(self, ctx: Context, before: float, *, dry_run: bool = False) -> Sequence[str]:
        """Give up unfinished writes to which nothing has come since `before`, and return their paths.

        `before` is in seconds since the epoch; `dry_run` only finds them.
        """
