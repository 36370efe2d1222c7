"""The only writer of a file, among all threads, processes and hosts that use the store.

The lock is on the open file, not on its name: a finished upload is renamed to where its blob is served
from, and a descriptor that was opened before must never write into it there. So whoever gets the lock
looks whether the name still means the file that is locked.
"""

from __future__ import annotations

import fcntl
import io
import os

from registry_wsgi.drivers.checks import check_open
from registry_wsgi.drivers.directories import ATTEMPTS, flush_directories, is_named
from registry_wsgi.drivers.writeback import Writeback
from registry_wsgi.errors import DriverError, PathNotFound


def open_locked(path: str, *, new: bool = False) -> tuple[io.FileIO, int]:
    """Open the file for appending and lock it; `new` makes it, or empties it. A dying process lets go of it.

    Returns it with its size, which nobody else changes while it is locked.
    Raises BlockingIOError while another holds it, FileNotFoundError, and other OSErrors.
    """
    flags = os.O_WRONLY | os.O_APPEND | (os.O_CREAT if new else 0)
    for _ in range(ATTEMPTS):
        file = io.FileIO(os.open(path, flags, 0o666), "wb")  # "ab" would look for the end; O_APPEND finds it
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(file.fileno())
            if is_named(found, path):
                if new:
                    file.truncate(0)
                return file, 0 if new else found.st_size
        except OSError:
            file.close()
            raise
        file.close()
    raise BlockingIOError(f"{path} changes hands without end")


def write_all(file: int, content: bytes | memoryview) -> int:
    """Write all of `content` and return its length in bytes; the system may take less at a time."""
    written = os.write(file, content)
    if type(content) is bytes and written == len(content):  # as nearly always, at half of what follows
        return written
    left = memoryview(content).cast("B")
    length = len(left)
    while left := left[written:]:
        written = os.write(file, left)
    return length


class LockedWriter:
    """The FileWriter of what `open_locked` opened. `unflushed` are the directories that got an entry for it.

    `flush`, `commit` and `cancel` raise PathNotFound where the file was deleted, moved or replaced meanwhile.
    """

    def __init__(
        self, driver: str, path: str, located: str, opened: tuple[io.FileIO, int], unflushed: list[str]
    ) -> None:
        self._driver = driver
        self._path = path
        self._located = located
        self._file, self.size = opened
        self._unflushed = unflushed
        self._ended = ""
        self._writeback = Writeback(self._file.fileno(), self.size)

    def write(self, content: bytes | memoryview, /) -> int:
        check_open(self._ended)
        try:
            length = write_all(self._file.fileno(), content)
        except OSError as error:
            self.size = os.fstat(self._file.fileno()).st_size
            raise self._failed(error) from error
        self.size += length
        self._writeback.reached(self.size)
        return length

    def flush(self) -> None:
        check_open(self._ended)
        self._check_named()
        try:
            os.fsync(self._file.fileno())
            flush_directories(self._unflushed)
        except OSError as error:
            raise self._failed(error) from error
        self._unflushed.clear()

    def commit(self) -> None:
        self.flush()
        self._ended = "committed"

    def commit_flushed(self) -> None:
        check_open(self._ended)
        self._check_named()
        self._ended = "committed"

    def cancel(self) -> None:
        check_open(self._ended)
        self._check_named()
        try:
            os.unlink(self._located)
        except OSError as error:
            raise self._failed(error) from error
        self._ended = "cancelled"

    def close(self) -> None:
        if self._file.closed:
            return
        self._ended = self._ended or "closed"
        with self._file:
            # A forked child may have the file open too; closing alone would leave it locked.
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _check_named(self) -> None:
        try:
            named = is_named(os.fstat(self._file.fileno()), self._located)
        except OSError as error:
            raise self._failed(error) from error
        if not named:
            raise PathNotFound(self._driver, self._path)

    def _failed(self, error: OSError) -> DriverError:
        return DriverError(self._driver, f"{self._path}: {error.strerror}")
