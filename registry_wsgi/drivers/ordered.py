"""The names in large directories, kept sorted in this process, so that a page costs what is in the page.

What is kept is believed only while the directory has the times that it had when it was read; every change of it, by
whatever process, gives it the time of the change. Two rules make that right at once:

* The times are taken *before* the names are read: a change in between makes the next look read again.
* Times have a granularity, of a jiffy (10 ms at most) on a local file system and of a second on some that NFS
  exports. A second change within it leaves no trace. So a reading that began less than `MARGIN_NS` after the
  directory's time is racy, as in git's index, and is used once and not kept. It takes clocks, of this host and of the
  file server, that agree within half of it.

Each look opens the directory and does not ask by name alone: for that, an NFS client asks its server, where a stat may
be answered from what it remembers. An NFS mount with `nocto` shows changes of other hosts as late in pages as anywhere.
"""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_right
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from registry_wsgi.drivers.directories import read_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

MARGIN_NS = 2_000_000_000
"""How long after its last change a directory has to be read for the reading to be kept."""

FEWEST = 256
"""The names that a directory needs to be kept: fewer are read as fast as they are looked up."""

MOST = 1_000_000
"""The names that are kept at most, of all directories together: about 80 MB."""


class _Reading(NamedTuple):
    state: tuple[int, ...]
    names: Sequence[str]


class OrderedDirectories:
    """The directories that were paged through last, `most` names in all; threads share it.

    The lock is never held while the file system is asked: threads that find nothing kept may read the same at once.
    """

    def __init__(self, *, fewest: int = FEWEST, most: int = MOST) -> None:
        self._fewest = fewest
        self._most = most
        self._lock = threading.Lock()
        self._readings: OrderedDict[str, _Reading] = OrderedDict()
        self._kept = 0

    def names_after(self, path: str, after: str, limit: int) -> list[str]:
        """Return the first `limit` names after `after` in byte order. Raises OSError."""
        reading = self._found(path)
        if reading is None or reading.state != _current_state(path):
            reading = self._read(path)
        start = bisect_right(reading.names, after)
        return list(reading.names[start : start + limit])

    def _found(self, path: str) -> _Reading | None:
        with self._lock:
            reading = self._readings.get(path)
            if reading is not None:
                self._readings.move_to_end(path)
            return reading

    def _read(self, path: str) -> _Reading:
        began = time.time_ns()
        found, names = read_directory(path)
        names.sort()
        reading = _Reading(_state(found), names)
        racy = found.st_mtime_ns + MARGIN_NS >= began
        with self._lock:
            self._forget(path)
            if not racy and self._fewest <= len(names) <= self._most:
                self._keep(path, reading)
        return reading

    # The rest is called with the lock held.

    def _keep(self, path: str, reading: _Reading) -> None:
        self._readings[path] = reading
        self._kept += len(reading.names)
        while self._kept > self._most:
            self._forget(next(iter(self._readings)))

    def _forget(self, path: str) -> None:
        reading = self._readings.pop(path, None)
        if reading is not None:
            self._kept -= len(reading.names)


def _current_state(path: str) -> tuple[int, ...]:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return _state(os.fstat(directory))
    finally:
        os.close(directory)


def _state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev
