"""The digests of an upload, carried from one request to the next.

`hashlib` objects cannot be saved. The contexts of libcrypto, which Python's own `hashlib` has
loaded already, can: they are plain bytes. They are saved with the offset they belong to, the library
that made them, the digests so far and a checksum of it all; a record is believed only if all of these
check out, and otherwise the data is read again. A context that was not would make libcrypto write
wherever a damaged counter points.
"""

from __future__ import annotations

import base64
import ctypes
import functools
import hashlib
import platform
from typing import TYPE_CHECKING, NamedTuple, Protocol

from registry_wsgi.descriptor import CANONICAL_ALGORITHM, Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_VERSION = 4
_SIZES = {"sha256": (112, 32), "sha384": (216, 48), "sha512": (216, 64)}
"""Bytes of the context, SHA256_CTX or SHA512_CTX, the same in OpenSSL 1.1 and 3 on every platform; and of the digest.

What asks `hashlib` for one of these has OpenSSL go through its providers, of which 1.2 MB stay in a process's memory:
where uploads are taken nobody does. Python has BLAKE2b of its own.
"""


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
        lines = [f"{_VERSION} {self.offset} {_library_name()}"]
        lines += [f"{self.digest(name)} {_state(running)}" for name, running in self._hashes.items()]
        content = "\n".join(lines).encode()
        return _checksum(content) + b"\n" + content

    @classmethod
    def restore(cls, record: bytes, offset: int, algorithms: Iterable[str] = ()) -> RunningDigest | None:
        """Return the running digest at `offset`, or None where the record does not serve for all `algorithms`."""
        saved = _parse(record, offset)
        if saved is None or not _library_name() or saved.library != _library_name():
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
    _library_name()


def recorded_digests(record: bytes, offset: int) -> Mapping[str, Digest]:
    """Return the digests of the first `offset` bytes as recorded, by their algorithms; none of another offset."""
    saved = _parse(record, offset)
    return {name: Digest.parse(digest) for name, (digest, _) in saved.hashes.items()} if saved else {}


class _Saved(NamedTuple):
    """What a record holds: the library that wrote it, and digest and state of each algorithm."""

    library: str
    hashes: dict[str, tuple[str, str]]


def _parse(record: bytes, offset: int) -> _Saved | None:
    """Return what a record holds, None where it is damaged, of another version or of another offset.

    Its lines are the checksum of the rest; version, offset and library; and of each algorithm the digest and the state.
    """
    checksum, _, content = record.partition(b"\n")
    if checksum != _checksum(content):
        return None
    head, *lines = content.decode().split("\n")
    version, saved_offset, library = head.split(" ", 2)
    if (version, saved_offset) != (str(_VERSION), str(offset)):
        return None
    hashes = {}
    for line in lines:
        digest, _, state = line.partition(" ")
        hashes[digest.partition(":")[0]] = digest, state
    return _Saved(library, hashes)


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=32).hexdigest().encode()


def _new(algorithm: str) -> _Hash:
    functions = _functions(algorithm)
    return _LibcryptoHash(functions) if functions is not None else hashlib.new(algorithm)


def _state(running: _Hash) -> str:
    return base64.b64encode(running.state()).decode() if isinstance(running, _LibcryptoHash) else ""


def _restored(algorithm: str, digest: str, state: str) -> _Hash | None:
    """Return the hash that was saved in `state`, if it then has the digest that was saved with it."""
    functions = _functions(algorithm)
    if functions is None or not state:
        return None
    restored = _LibcryptoHash(functions, base64.b64decode(state))
    return restored if f"{algorithm}:{restored.hexdigest()}" == digest else None


class _Functions:
    """libcrypto's functions of one algorithm, and the types of what they work on; looked up once for all hashes."""

    def __init__(self, library: ctypes.CDLL, algorithm: str) -> None:
        context, length = _SIZES[algorithm]
        self.context = ctypes.c_char * context
        self.result = ctypes.c_char * length
        self.init = library[f"{algorithm.upper()}_Init"]
        self.update = library[f"{algorithm.upper()}_Update"]
        self.update.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
        self.final = library[f"{algorithm.upper()}_Final"]


class _LibcryptoHash:
    """libcrypto's hash function over a context that can be copied out and in."""

    __slots__ = ("_context", "_functions")

    def __init__(self, functions: _Functions, state: bytes | None = None) -> None:
        self._functions = functions
        if state is None:
            self._context = functions.context()
            functions.init(self._context)
        else:
            self._context = functions.context.from_buffer_copy(state)

    def update(self, content: bytes | memoryview) -> None:
        # A foreign call takes the address of bytes as they are; a view may be read-only and is copied.
        data = content if isinstance(content, bytes) else bytes(content)
        self._functions.update(self._context, data, len(data))

    def state(self) -> bytes:
        return self._context.raw

    def hexdigest(self) -> str:
        result, copy = self._functions.result(), self._functions.context.from_buffer_copy(self._context)
        self._functions.final(result, copy)
        return result.raw.hex()


@functools.cache
def _functions(algorithm: str) -> _Functions | None:
    library = _library()
    return _Functions(library, algorithm) if library is not None else None


@functools.cache
def _library() -> ctypes.CDLL | None:
    """Return the libcrypto that `hashlib` uses, or None where it cannot be had or does not do what it should."""
    try:
        import _hashlib  # noqa: PLC0415 - an interpreter built without OpenSSL has none

        library = ctypes.CDLL(_hashlib.__file__)
        library.OpenSSL_version.restype = ctypes.c_char_p
        agrees = all(_agrees_with_hashlib(library, algorithm) for algorithm in _SIZES)
    except (ImportError, AttributeError, OSError):
        return None
    return library if agrees else None


def _agrees_with_hashlib(library: ctypes.CDLL, algorithm: str) -> bool:
    first, second = b"\x00first\xff" * 19, b"second" * 37
    functions = _Functions(library, algorithm)
    begun = _LibcryptoHash(functions)
    begun.update(first)
    resumed = _LibcryptoHash(functions, begun.state())
    resumed.update(second)
    return resumed.hexdigest() == hashlib.new(algorithm, first + second).hexdigest()


@functools.cache
def _library_name() -> str:
    """Return what wrote a state and may read it again, empty where nothing can."""
    library = _library()
    return f"{library.OpenSSL_version(0).decode()}; {platform.machine()}" if library is not None else ""
