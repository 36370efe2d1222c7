"""Writing to the disk that begins while a file still grows, so that the flush at its end finds little left to do."""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STEP = 8 * 1024 * 1024
"""Bytes after which the disk is told. Of 300 MB written and flushed: 474 MB/s with it, 161 without, 321 at 32 MiB."""

_SYNC_FILE_RANGE_WRITE = 2


class Writeback:
    """Of one file, from `offset` on; `reached` is told how far it has been written.

    It makes nothing durable, and does nothing where the system has no sync_file_range(2) or the file system refuses.
    """

    __slots__ = ("_begun", "_file")

    def __init__(self, file: int, offset: int) -> None:
        self._file = file
        self._begun = offset

    def reached(self, offset: int) -> None:
        if offset - self._begun >= STEP:
            begin = _sync_file_range()
            if begin is not None:
                begin(self._file, self._begun, offset - self._begun, _SYNC_FILE_RANGE_WRITE)
            self._begun = offset


@functools.cache
def _sync_file_range() -> Callable[[int, int, int, int], int] | None:
    """Return the C library's function; Python's os has none."""
    try:
        function = ctypes.CDLL(None).sync_file_range
    except (AttributeError, OSError):
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    return function
