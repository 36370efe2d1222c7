"""The digests of an upload, carried from one request to the next.

`hashlib` objects cannot be saved. The contexts of libcrypto can: they are plain bytes. They are saved with the offset
they belong to, the library that made them, the digests so far and a checksum of it all; a record is believed only if
all of these check out, and otherwise the data is read again.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, NamedTuple, Protocol

from registry_wsgi.descriptor import CANONICAL_ALGORITHM, Digest
from registry_wsgi.errors import DigestInvalid
from registry_wsgi.storage import libcrypto
from registry_wsgi.storage.libcrypto import LibcryptoHash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_VERSION = 4


class _Hash(Protocol):
    def update(self, content: bytes | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


class RunningDigest:
    """The canonical digest, and others that are asked for, of the bytes given so far.

    `record` saves it beside the data, `restore` takes it up again.
    """

    __slots__ = ("_hashes", "offset")

    def __init__(self, algorithms: Iterable[str] = ()) -> None:
        self._hashes = {name: _new(name) for name in dict.fromkeys((CANONICAL_ALGORITHM, *algorithms))}
        self.offset = 0

    @property
    def algorithms(self) -> frozenset[str]:
        return frozenset(self._hashes)

    def update(self, content: bytes | memoryview) -> None:
        for running in self._hashes.values():
            running.update(content)
        self.offset += len(content)

    def digest(self, algorithm: str = CANONICAL_ALGORITHM) -> Digest:
        return Digest(f"{algorithm}:{self._hashes[algorithm].hexdigest()}")

    def record(self) -> bytes:
        """Return the state to be stored beside the data."""
        lines = [f"{_VERSION} {self.offset} {libcrypto.library_name()}"]
        lines += [f"{self.digest(name)} {_state(running)}" for name, running in self._hashes.items()]
        content = "\n".join(lines).encode()
        return _checksum(content) + b"\n" + content

    @classmethod
    def restore(cls, record: bytes, offset: int, algorithms: Iterable[str] = ()) -> RunningDigest | None:
        """Return the running digest at `offset`, or None where the record does not serve for all `algorithms`."""
        saved, library = _parse(record), libcrypto.library_name()
        if saved is None or not library or (saved.offset, saved.library) != (offset, library):
            return None
        running = cls(algorithms)
        for name in running.algorithms:
            restored = _restored(name, *saved.hashes.get(name, ("", "")))
            if restored is None:
                return None
            running._hashes[name] = restored
        running.offset = offset
        return running


def choose_library() -> None:
    """Find what to hash with, before an upload has to; a process that is forked knows it then."""
    libcrypto.library_name()


def recorded_digests(record: bytes, offset: int) -> Mapping[str, Digest]:
    """Return the digests of the first `offset` bytes as recorded, by their algorithms; none of another offset."""
    recorded, digests = recorded_offset(record)
    return digests if recorded == offset else {}


def recorded_offset(record: bytes) -> tuple[int, Mapping[str, Digest]]:
    """Return how many bytes a record is of, and their digests by their algorithms: none where it is damaged."""
    saved = _parse(record)
    return (saved.offset, {name: digest for name, (digest, _) in saved.hashes.items()}) if saved else (0, {})


class _Saved(NamedTuple):
    """What a record holds: its offset, the library that wrote it, and digest and state of each algorithm."""

    offset: int
    library: str
    hashes: dict[str, tuple[Digest, str]]


def _parse(record: bytes) -> _Saved | None:
    """Return what a record holds, None where it is damaged or of another version.

    Its lines are the checksum of the rest; version, offset and library; and of each algorithm the digest and the state.
    """
    checksum, _, content = record.partition(b"\n")
    if checksum != _checksum(content):
        return None
    head, *lines = content.decode(errors="replace").split("\n")
    version, _, rest = head.partition(" ")
    offset, _, library = rest.partition(" ")
    if version != str(_VERSION):
        return None
    try:
        number = int(offset)
        pairs = [(Digest.parse(digest), state) for digest, _, state in (line.partition(" ") for line in lines)]
    except (ValueError, DigestInvalid):
        return None
    return _Saved(number, library, {digest.algorithm: (digest, state) for digest, state in pairs})


def _checksum(content: bytes) -> bytes:
    # Which Python has of its own: for SHA-256 it would load what libcrypto.py avoids.
    return hashlib.blake2b(content, digest_size=32).hexdigest().encode()


def _new(algorithm: str) -> _Hash:
    functions = libcrypto.functions(algorithm)
    return LibcryptoHash(functions) if functions is not None else hashlib.new(algorithm)


def _state(running: _Hash) -> str:
    return base64.b64encode(running.state()).decode() if isinstance(running, LibcryptoHash) else ""


def _restored(algorithm: str, digest: str, state: str) -> _Hash | None:
    """Return the hash that was saved in `state`, if it then has the digest that was saved with it."""
    functions = libcrypto.functions(algorithm)
    if functions is None or not state:
        return None
    try:
        context = base64.b64decode(state, validate=True)
    except ValueError:
        return None
    if not functions.can_be(context):
        return None
    restored = LibcryptoHash(functions, context)
    return restored if f"{algorithm}:{restored.hexdigest()}" == digest else None
