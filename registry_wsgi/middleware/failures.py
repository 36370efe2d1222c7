"""When the failed logins of each network will be forgotten: a table in memory that processes may share.

It is mapped from a file that all processes of a host open, or is this process's own and that of its forks. Reading
takes no lock: a time is eight bytes, which are never seen half written, and one that is missed is a guess more.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import struct
import threading
from contextlib import contextmanager, suppress
from hashlib import blake2b
from typing import TYPE_CHECKING

from registry_wsgi import writable
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUCKETS = 8192
_SLOTS = 8
_SLOT = struct.Struct("=Qd")  # the hash of a network, and when its failures are forgotten
_HEAD = struct.Struct("=16s16sd")  # the machine's boot, the key of the hashes, and when all failures are forgotten
_LATEST = 4  # where that is among numbers of eight bytes
_START = 64
_OF_SERVER = "/proc/"
"""How the path of the server's own memory begins."""
_SIZE = _START + _BUCKETS * _SLOTS * _SLOT.size


class Failures:
    """A bounded number of networks, 65,536, those that failed last; times are in seconds since the machine's boot.

    `path` names the file, which is made if need be. Raises ConfigurationError where it cannot be used.
    """

    def __init__(self, path: str = "") -> None:
        self._lock = threading.Lock()
        self._file = _opened(path) if path else -1
        with self._alone():
            if self._file >= 0 and os.fstat(self._file).st_size != _SIZE:
                os.ftruncate(self._file, 0)
                os.ftruncate(self._file, _SIZE)
            self._table = mmap.mmap(self._file, _SIZE)
            self._numbers = memoryview(self._table).cast("d")  # the quickest way to one of them
            boot, self._key, _ = _HEAD.unpack_from(self._table)
            if boot != (now := _boot()):
                if boot.strip(b"\0"):  # what is new has nothing to forget, and takes no memory before it is used
                    self._table[:] = bytes(_SIZE)
                self._key = secrets.token_bytes(16)
                _HEAD.pack_into(self._table, 0, now, self._key, 0.0)

    def latest(self) -> float:
        """Return when all failures of all networks will be forgotten."""
        return self._numbers[_LATEST]

    def forgotten_at(self, network: str) -> float:
        """Return when the failures of a network will be forgotten, 0 where there are none."""
        hashed, bucket = self._hash(network)
        return next((until for found, until, _ in self._slots(bucket) if found == hashed), 0.0)

    def add(self, network: str, now: float, seconds: float) -> None:
        """Have the failures of a network remembered for so much longer."""
        hashed, bucket = self._hash(network)
        with self._alone():
            slots = list(self._slots(bucket))
            _, until, place = next((slot for slot in slots if slot[0] == hashed), min(slots, key=lambda slot: slot[1]))
            known = until if any(slot[0] == hashed for slot in slots) else 0.0
            until = max(known, now) + seconds
            _SLOT.pack_into(self._table, place, hashed, until)
            self._numbers[_LATEST] = max(self.latest(), until)

    def _hash(self, network: str) -> tuple[int, int]:
        hashed = int.from_bytes(blake2b(network.encode(), key=self._key, digest_size=8).digest())
        return hashed, hashed % _BUCKETS

    def _slots(self, bucket: int) -> Iterator[tuple[int, float, int]]:
        begin = _START + bucket * _SLOTS * _SLOT.size
        for place in range(begin, begin + _SLOTS * _SLOT.size, _SLOT.size):
            yield *_SLOT.unpack_from(self._table, place), place

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock:
            if self._file < 0:
                yield
                return
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)


def check_file(path: str) -> None:
    """Look whether the file can be used, and make none. Raises ConfigurationError."""
    try:
        if not path.startswith(_OF_SERVER):
            writable.check_file(path)
    except OSError as error:
        raise _unusable(path, error) from None


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if path.startswith(_OF_SERVER):  # which the system may hide: then each counts by itself
            return -1
        raise _unusable(path, error) from None


def _unusable(path: str, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"http.loginlimit.file: cannot open {path}: {error.strerror}")


def _boot() -> bytes:
    """Return what tells the times of this boot from those of another, empty where the system does not say."""
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return bytes.fromhex(file.read().strip().replace("-", ""))
    return b"\1" * 16
