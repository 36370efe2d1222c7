"""Whether a small file still holds what it held: read, or told by its state alone.

On a local file system every change of a file, by whatever process, gives it the time of the change, or another inode.
So a file in the state that it had when it was read need not be read again, as long as that reading was not racy, which
`ordered` explains. A stat takes half the time of open, read and close, and lets other threads in once instead of three
times: a pull by tag took 58 µs of the processor with them and 49 with it. A network file system may answer a stat from
what it remembers; there, files are read.

A file that is asked about often is kept open, for what is open is told to be replaced or deleted by a third of the time
that its path takes: 43 µs a pull. What stays untouched while a directory above it is renamed does not tell, so that the
path is looked at once a second as well. No registry renames a directory but to delete what is in it at once.
"""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import suppress
from operator import attrgetter

from registry_wsgi.drivers.ordered import MARGIN_NS

_LOCAL = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
_TELLING = frozenset({"btrfs", "ext2", "ext3", "ext4", "tmpfs", "xfs"})
"""Those on which it was tried that an open file tells what becomes of its name. A lower layer's of overlay does not."""
_MOUNTS = "/proc/self/mountinfo"
_LOOK_SECONDS = 1.0

_state = attrgetter("st_ctime_ns", "st_nlink", "st_ino", "st_dev")
"""What no change of a file, of its name or of its content, leaves as it was."""


class Holds:
    """Tells, when it is called, whether there is a file at `path` with just that small content."""

    __slots__ = ("_content", "_files", "_kept", "_next_look", "_path", "_state")

    def __init__(self, path: bytes, content: bytes, files: LocalFiles) -> None:
        self._path = path
        self._content = content
        self._files = files
        self._state: tuple[int, ...] | None = None
        self._kept: _Open | None = None
        self._next_look = 0.0

    def __call__(self) -> bool:
        now, kept = time.monotonic(), self._kept
        try:
            if kept is not None and now < self._next_look:
                stands = _state(os.fstat(kept.descriptor)) == self._state
            else:
                stands = self._state is not None and self._stands(now)
        except OSError:
            stands = False
        return stands or self._read()

    def let_go(self) -> None:
        """Do not keep the file open any longer."""
        self._kept = None

    def _stands(self, now: float) -> bool:
        """Tell by its path whether the file is in its state, and keep it open if it is asked about twice in a second.

        Raises OSError.
        """
        if _state(os.stat(self._path)) != self._state:
            return False
        if now < self._next_look:
            self._keep()
        self._next_look = now + _LOOK_SECONDS
        return True

    def _keep(self) -> None:
        with suppress(OSError):  # as where there are too many open files
            kept = _Open(os.open(self._path, os.O_RDONLY))
            found = os.fstat(kept.descriptor)
            if found.st_dev in self._files.telling and _state(found) == self._state:
                self._kept = kept
                self._files.keep(self)

    def _read(self) -> bool:
        self._state = self._kept = None
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
        racy = found.st_ctime_ns + MARGIN_NS >= began
        if holds and not racy and found.st_dev in self._files.local:
            self._state = _state(found)
        return holds


class LocalFiles:
    """The devices of this machine whose files need not be read each time, and the `most` files that are kept open.

    Files on `local` devices show each change in their state, those on `telling` ones also to who has them open.
    """

    def __init__(self, local: frozenset[int], telling: frozenset[int], most: int) -> None:
        self.local = local
        self.telling = telling if most else frozenset()
        self.most = most
        self._keepers: deque[Holds] = deque()

    def keep(self, keeper: Holds) -> None:
        """Let go of the file that was kept first where there are too many. In use, it is kept again a second later."""
        self._keepers.append(keeper)
        with suppress(IndexError):  # another thread was faster
            while len(self._keepers) > self.most:
                self._keepers.popleft().let_go()


class _Open:
    """An open file, which is closed when the last thread that looks at it has let go of it."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __del__(self) -> None:
        with suppress(OSError):  # what makes a daemon of a process has closed it before
            os.close(self.descriptor)


def local_files() -> LocalFiles:
    """Return what is mounted now and known to be of this machine alone; elsewhere than on Linux nothing.

    Of what is mounted later, files are read each time. An eighth of the files that the process may have open may be
    kept, and 1,024 at most.
    """
    devices: dict[int, str] = {}
    with suppress(OSError, ValueError), open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            before, _, after = line.partition(" - ")
            kind = after.split(" ", 1)[0]
            if kind in _LOCAL:
                major, _, minor = before.split(" ")[2].partition(":")
                devices[os.makedev(int(major), int(minor))] = kind
    telling = frozenset(device for device, kind in devices.items() if kind in _TELLING)
    return LocalFiles(frozenset(devices), telling, min(_open_files_allowed() // 8, 1024))


def _open_files_allowed() -> int:
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return 0
    allowed: int = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return allowed if allowed != resource.RLIM_INFINITY else 8 * 1024
