"""Whether a small file still holds what it held, or is there still: looked at, or told by its state alone.

On a local file system every change of a file, by whatever process, gives it the time of the change, or another inode.
So a file in the state that it had when it was read need not be read again, as long as that reading was not racy, which
`ordered` explains. A stat takes half the time of open, read and close, and lets other threads in once instead of three
times: a pull by tag took 58 µs of the processor with them and 49 with it. Elsewhere, see `local`, files are read.

A file that is asked about often is kept open, for what is open is told to be replaced or deleted by a third of the time
that its path takes: a tenth of a pull. What stays untouched while a directory above it is renamed does not tell, so
that the path is looked at once a second as well. No registry renames a directory but to delete what is in it at once.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from registry_wsgi.drivers.local import state_of
from registry_wsgi.drivers.ordered import MARGIN_NS

if TYPE_CHECKING:
    from registry_wsgi.drivers.local import LocalFiles, OpenFile, State

_LOOK_SECONDS = 1.0


class There:
    """Tells, when it is called, whether there is something at `path`."""

    __slots__ = ("_files", "_kept", "_next_look", "_next_try", "_path", "_state")

    def __init__(self, path: bytes, files: LocalFiles) -> None:
        self._path = path
        self._files = files
        self._state: State | None = None
        self._kept: OpenFile | None = None
        self._next_look = self._next_try = 0.0

    def __call__(self) -> bool:
        now, kept = time.monotonic(), self._kept
        if kept is not None and now < self._next_look:
            try:  # contextlib.suppress would be 0.5 µs of 6
                if state_of(os.fstat(kept.descriptor)) == self._state:
                    return True
            except OSError:
                self._kept = None  # somebody else has closed it
        return self._look(now)

    def let_go(self) -> None:
        self._kept = None

    def _look(self, now: float) -> bool:
        """Tell it by the path."""
        state = self._state
        if state is not None:
            with suppress(OSError):
                if state_of(os.stat(self._path)) == state:
                    self._looked(now, state)
                    return True
        self._state = self._kept = None
        return self._look_anew(now)

    def _look_anew(self, now: float) -> bool:
        """Tell it where no state is known."""
        # os.access makes no stat_result, and with the path in bytes it costs two thirds of os.stat.
        if not os.access(self._path, os.F_OK):
            return False
        self._looked(now, None)
        return True

    def _looked(self, now: float, state: State | None) -> None:
        """Keep the file open where this is the second look within a second, which is tried once in that time."""
        if now < self._next_look and now >= self._next_try:
            self._next_try = now + _LOOK_SECONDS
            with suppress(OSError):  # as where there are too many open files
                self._keep(state)
        self._next_look = now + _LOOK_SECONDS

    def _keep(self, state: State | None) -> None:
        """Keep the file open if it is in the state that it was found in, or in one that is not racy."""
        opened = self._files.open(self._path)
        if opened is None:
            return
        if state is None and not _racy(opened.state[0], time.time_ns()):
            self._state = state = opened.state
        if opened.state == state:
            self._kept = opened
            self._files.keeps(self)


class Holds(There):
    """Tells, when it is called, whether there is a file at `path` with just that small content."""

    __slots__ = ("_content",)

    def __init__(self, path: bytes, content: bytes, files: LocalFiles) -> None:
        super().__init__(path, files)
        self._content = content

    def _look_anew(self, now: float) -> bool:  # noqa: ARG002 - what was only just read is not kept open yet
        began = time.time_ns()
        try:
            file = os.open(self._path, os.O_RDONLY)
        except OSError:
            return False
        try:
            found = os.fstat(file)  # before the content: what changes in between is read again
            holds = os.read(file, len(self._content) + 1) == self._content
        except OSError:
            return False
        finally:
            os.close(file)
        if holds and not _racy(found.st_ctime_ns, began) and self._files.show_changes(found.st_dev):
            self._state = state_of(found)
        return holds


def _racy(changed: int, looked: int) -> bool:
    """Tell whether a file may have changed after a look, in nanoseconds, without a trace in its time."""
    return changed + MARGIN_NS >= looked
