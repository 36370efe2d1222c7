"""The right to deliver what is in an outbox of this host: a lock on a file."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class FileClaim:
    """A lock on a file that belongs to whoever has it open: to a child process too, if its parent dies first."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> FileClaim | None:
        """Return the lock, or None while another process has it. Raises OSError."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return cls(descriptor)

    @property
    def files(self) -> tuple[int, ...]:
        return (self._descriptor,)

    def release(self) -> None:
        os.close(self._descriptor)
