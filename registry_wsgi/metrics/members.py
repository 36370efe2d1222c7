"""A directory that the processes of one registry on one host share while they run.

Each leaves there what it has measured, and any of them can add that up. A process is alive while it holds the lock of
its own file, whatever became of its number. What one that ended had counted is kept, and what it was doing is not. The
first of new processes finds none alive and begins with nothing; the last one to end leaves nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
import threading
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from registry_wsgi.errors import ConfigurationError
from registry_wsgi.metrics.measurements import lasting, total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.metrics.measurements import Snapshot

_ENDED = "ended.json"
_DOWN = "down"
_CLAIM = "claim"


def shared_directory(address: str) -> Path:
    """Return the directory of the registry that has an address which no two of one host can have.

    It is made if need be, for its user alone. Raises ConfigurationError where another user has made it.
    """
    name = f"registry-wsgi-{os.getuid()}-{sha256(address.encode()).hexdigest()[:16]}"
    path = Path(tempfile.gettempdir()) / name
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ConfigurationError(f"http.debug.addr: {path} is not a directory of this user's; remove it")
    return path


class Members:
    """This process among those that share `directory`. It is one of them from `join` to `leave`, or to its end."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._own: int | None = None
        self._claim: int | None = None

    def join(self) -> None:
        with self._alone():
            if not any(self._is_alive(pid) for pid in self._pids()):
                self._clear()
            self._own = os.open(self._lock_path(os.getpid()), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._own, fcntl.LOCK_EX)

    def leave(self, snapshot: Snapshot) -> None:
        """Leave the last numbers behind."""
        if self._own is None:
            return
        self.publish(snapshot)
        os.close(self._own)
        self._own = None
        with self._alone():
            self._bury()
            if not self._pids():
                self._clear()

    def forked(self) -> None:
        """Be a process of its own, after a fork: the place is the parent's."""
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None
        if self._own is not None:
            os.close(self._own)
            self.join()

    def publish(self, snapshot: Snapshot) -> None:
        """Leave this process's numbers for the others to read."""
        self._write(f"{os.getpid()}.json", snapshot)
        os.utime(self._lock_path(os.getpid()))  # for who cleans up what is old

    def gather(self) -> tuple[Snapshot, int]:
        """Return the sums over all processes, and how many are alive."""
        with self._alone():
            self._bury()
            pids = self._pids()
            return total([self._read(_ENDED), *(self._read(f"{pid}.json") for pid in pids)]), len(pids)

    # What one process is told holds for all.

    @property
    def is_down(self) -> bool:
        return (self._directory / _DOWN).exists()

    def take_down(self) -> None:
        (self._directory / _DOWN).touch()

    def take_up(self) -> None:
        (self._directory / _DOWN).unlink(missing_ok=True)

    def try_to_be_the_one(self) -> bool:
        """Tell whether this process does what one alone may do, which it then does to its end."""
        if self._claim is None:
            claim = os.open(self._directory / _CLAIM, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._claim = claim
            except BlockingIOError:
                os.close(claim)
        return self._claim is not None

    def _bury(self) -> None:
        """Keep of processes that have ended what they had counted."""
        for pid in self._pids():
            if not self._is_alive(pid):
                counted = lasting(self._read(f"{pid}.json"))
                self._write(_ENDED, total([self._read(_ENDED), counted]))
                (self._directory / f"{pid}.json").unlink(missing_ok=True)
                self._lock_path(pid).unlink(missing_ok=True)

    def _clear(self) -> None:
        for path in self._directory.iterdir():
            if path.suffix in (".json", ".lock", ".new") or path.name == _DOWN:
                path.unlink(missing_ok=True)

    def _pids(self) -> list[int]:
        return [int(path.stem) for path in self._directory.glob("*.lock")]

    def _is_alive(self, pid: int) -> bool:
        if self._own is not None and pid == os.getpid():
            return True
        descriptor = os.open(self._lock_path(pid), os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            _release(descriptor)

    def _lock_path(self, pid: int) -> Path:
        return self._directory / f"{pid}.lock"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only one who looks after the directory."""
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            _release(descriptor)

    def _read(self, name: str) -> Snapshot:
        try:
            rows = json.loads((self._directory / name).read_bytes())
        except FileNotFoundError:
            return {}
        return {tuple(key): series for key, series in rows}

    def _write(self, name: str, snapshot: Snapshot) -> None:
        """Replace the file in one step; threads may do so at once."""
        new = self._directory / f"{name}.{threading.get_ident()}.new"
        new.write_text(json.dumps(list(snapshot.items())))
        new.replace(self._directory / name)


def _release(descriptor: int) -> None:
    """End a lock and close its descriptor: a process that was forked meanwhile has it too, and closing would not do."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)
