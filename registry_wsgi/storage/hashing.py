"""The digest of an upload, carried from one request to the next.

`hashlib` objects cannot be saved. The `SHA256_CTX` of libcrypto, which Python's own `hashlib`
has loaded already, can: it is 112 plain bytes. It is saved with the offset it belongs to, the
library that made it and the digest so far; a record is believed only if all of these check out,
and otherwise the data is read again.
"""

from __future__ import annotations

import base64
import ctypes
import functools
import hashlib
import json
import platform
from typing import Protocol

from registry_wsgi.descriptor import CANONICAL_ALGORITHM, Digest

_VERSION = 1
_CONTEXT_SIZE = 112  # sizeof(SHA256_CTX), the same in OpenSSL 1.1 and 3 on every platform


class _Hash(Protocol):
    def update(self, content: bytes | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


class RunningDigest:
    """The sha256 of the bytes given so far; `record` saves it, `restore` takes it up again."""

    __slots__ = ("_hash", "offset")

    def __init__(self) -> None:
        library = _library()
        self._hash: _Hash = _ResumableSHA256(library) if library is not None else hashlib.sha256()
        self.offset = 0

    def update(self, content: bytes | memoryview) -> None:
        self._hash.update(content)
        self.offset += len(content)

    def digest(self) -> Digest:
        return Digest(f"{CANONICAL_ALGORITHM}:{self._hash.hexdigest()}")

    def record(self) -> bytes:
        """Return the state to be stored beside the data."""
        saved = {"version": _VERSION, "offset": self.offset, "digest": self.digest(), "library": "", "state": ""}
        if isinstance(self._hash, _ResumableSHA256):
            saved["library"] = _library_name()
            saved["state"] = base64.b64encode(self._hash.state()).decode()
        return json.dumps(saved).encode()

    @classmethod
    def restore(cls, record: bytes, offset: int) -> RunningDigest | None:
        """Return the running digest at `offset`, or None where the record is of no use."""
        saved = _parse(record, offset)
        library = _library()
        if saved is None or library is None or saved["library"] != _library_name():
            return None
        state = base64.b64decode(str(saved["state"]))
        if len(state) != _CONTEXT_SIZE:
            return None
        running = cls()
        running._hash = _ResumableSHA256(library, state)
        running.offset = offset
        return running if running.digest() == saved["digest"] else None


def recorded_digest(record: bytes, offset: int) -> Digest | None:
    """Return the digest of the first `offset` bytes as recorded, or None where the record is of another offset."""
    saved = _parse(record, offset)
    return Digest.parse(str(saved["digest"])) if saved is not None else None


def _parse(record: bytes, offset: int) -> dict[str, object] | None:
    try:
        saved = json.loads(record)
    except ValueError:
        return None
    if not isinstance(saved, dict) or saved.get("version") != _VERSION or saved.get("offset") != offset:
        return None
    return saved if saved.keys() >= {"digest", "library", "state"} else None


class _ResumableSHA256:
    """libcrypto's SHA-256 over a context that can be copied out and in."""

    __slots__ = ("_context", "_library")

    def __init__(self, library: ctypes.CDLL, state: bytes | None = None) -> None:
        self._library = library
        self._context = ctypes.create_string_buffer(_CONTEXT_SIZE)
        if state is None:
            library.SHA256_Init(self._context)
        else:
            self._context.raw = state

    def update(self, content: bytes | memoryview) -> None:
        # A foreign call takes the address of bytes as they are; a view may be read-only and is copied.
        data = content if isinstance(content, bytes) else bytes(content)
        self._library.SHA256_Update(self._context, data, len(data))

    def state(self) -> bytes:
        return self._context.raw

    def hexdigest(self) -> str:
        final = ctypes.create_string_buffer(self._context.raw, _CONTEXT_SIZE)
        result = ctypes.create_string_buffer(32)
        self._library.SHA256_Final(result, final)
        return result.raw.hex()


@functools.cache
def _library() -> ctypes.CDLL | None:
    """Return the libcrypto that `hashlib` uses, or None where it cannot be had or does not do what it should."""
    try:
        import _hashlib  # noqa: PLC0415 - an interpreter built without OpenSSL has none

        library = ctypes.CDLL(_hashlib.__file__)
        library.SHA256_Init.argtypes = [ctypes.c_void_p]
        library.SHA256_Update.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
        library.SHA256_Final.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        library.OpenSSL_version.restype = ctypes.c_char_p
    except (ImportError, AttributeError, OSError):
        return None
    return library if _agrees_with_hashlib(library) else None


def _agrees_with_hashlib(library: ctypes.CDLL) -> bool:
    first, second = b"\x00first\xff" * 19, b"second" * 37
    begun = _ResumableSHA256(library)
    begun.update(first)
    resumed = _ResumableSHA256(library, begun.state())
    resumed.update(second)
    return resumed.hexdigest() == hashlib.sha256(first + second).hexdigest()


@functools.cache
def _library_name() -> str:
    library = _library()
    version: bytes = library.OpenSSL_version(0) if library is not None else b""
    return f"{version.decode()}; {platform.machine()}"
