"""What can be told of files of this machine: that their state shows each change, and, while they are open, to whom.

A file of a network file system may change without a trace, for a stat is answered from what the client remembers.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCAL = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
_TELLING = frozenset({"btrfs", "ext2", "ext3", "ext4", "tmpfs", "xfs"})
"""Those on which it was tried that an open file tells what becomes of its name. A lower layer's of overlay does not."""
_MOUNTS = "/proc/self/mountinfo"
_MOUNTS_SECONDS = 1.0
_LARGEST = 4096
"""Bytes of a file that may be kept open: its space is not free before it is let go of."""

State = tuple[int, int, int, int]
state_of = attrgetter("st_ctime_ns", "st_nlink", "st_ino", "st_dev")
"""What no change of a file, of its name or of its content, leaves as it was."""


class Keeper(Protocol):
    def let_go(self) -> None:
        """Do not keep the file open any longer."""


class OpenFile:
    """A file that is kept open until the last thread that looks at it has let go of it; `state` it had when opened."""

    __slots__ = ("descriptor", "state")

    def __init__(self, descriptor: int, state: State) -> None:
        self.descriptor = descriptor
        self.state = state

    def __del__(self) -> None:
        # Who makes a daemon of a process closes all that is open, and the number may be another file's since.
        with suppress(OSError):
            if state_of(os.fstat(self.descriptor))[2:] == self.state[2:]:
                os.close(self.descriptor)


class LocalFiles:
    """The file systems of this machine as they are mounted now, and the files below `root` that are kept open.

    Of these there are `most`: by default an eighth of the files that the process may open, and 1,024 at most.
    """

    def __init__(self, root: str, most: int | None = None) -> None:
        self.most = min(_open_files_allowed() // 8, 1024) if most is None else most
        self._root = os.fsencode(root)
        self._real_root = os.path.realpath(self._root or b"/").rstrip(b"/")
        self._kinds: Mapping[int, str] = {}
        self._read_at = -_MOUNTS_SECONDS
        self._keepers: dict[Keeper, None] = {}
        self._lock = threading.Lock()

    def show_changes(self, device: int) -> bool:
        """Tell whether the state of a file on the device shows each change, by whatever process."""
        return self._kind(device) in _LOCAL

    def open(self, path: bytes) -> OpenFile | None:
        """Open a small file to be kept; None where it would not tell of all changes. Raises OSError.

        That is so below a symbolic link, which may be removed and leaves what it leads to as it is.
        """
        if not self.most:
            return None
        descriptor = os.open(path, os.O_RDONLY)
        try:
            found = os.fstat(descriptor)
            named = self._real_root + path[len(self._root) :]
            if (
                found.st_size <= _LARGEST
                and self._kind(found.st_dev) in _TELLING
                and os.readlink(b"/proc/self/fd/%d" % descriptor) == named
            ):
                return OpenFile(descriptor, state_of(found))
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def keeps(self, keeper: Keeper) -> None:
        """Note who keeps a file open. Where there are too many, the one that was noted first has to let go of its."""
        with self._lock:
            self._keepers[keeper] = None
            surplus = next(iter(self._keepers)) if len(self._keepers) > self.most else None
            if surplus is not None:
                del self._keepers[surplus]
                surplus.let_go()

    def _kind(self, device: int) -> str:
        """Return the type of the file system that has the device's number now: numbers are given to others again."""
        now = time.monotonic()
        if now - self._read_at >= _MOUNTS_SECONDS:
            self._kinds = _mounted()
            self._read_at = now
        return self._kinds.get(device, "")


def _mounted() -> Mapping[int, str]:
    """Return the types of the mounted file systems by their devices; elsewhere than on Linux none is known."""
    kinds: dict[int, str] = {}
    with suppress(OSError, ValueError), open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            before, _, after = line.partition(" - ")
            major, _, minor = before.split(" ")[2].partition(":")
            kinds[os.makedev(int(major), int(minor))] = after.split(" ", 1)[0]
    return kinds


def _open_files_allowed() -> int:
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return 0
    allowed: int = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return allowed if allowed != resource.RLIM_INFINITY else 8 * 1024
