"""libcrypto's hash functions, whose state can be saved: the one that Python's own `hashlib` has loaded already.

A state that is not libcrypto's would make it write wherever a damaged counter points.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import platform
import sys

_SIZES = {"sha256": (112, 32, 64), "sha384": (216, 48, 128), "sha512": (216, 64, 128)}
"""Bytes of the context, SHA256_CTX or SHA512_CTX, the same in OpenSSL 1.1 and 3 on every platform; of the digest; of a
block, which is hashed at a time.

What asks `hashlib` for one of these has OpenSSL go through its providers, of which 1.2 MB stay in a process's memory:
where uploads are taken nobody does.
"""
_INT = ctypes.sizeof(ctypes.c_int)


class Functions:
    """libcrypto's functions of one algorithm, and the types of what they work on; looked up once for all hashes."""

    def __init__(self, library: ctypes.CDLL, algorithm: str) -> None:
        context, length, self._block = _SIZES[algorithm]
        self.context = ctypes.c_char * context
        self.result = ctypes.c_char * length
        self.init = library[f"{algorithm.upper()}_Init"]
        self.update = library[f"{algorithm.upper()}_Update"]
        self.update.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
        self.final = library[f"{algorithm.upper()}_Final"]

    def can_be(self, context: bytes) -> bool:
        """Tell whether libcrypto can go on with a context: it has the size, and less than a block waits in it."""
        # How much that is, by which libcrypto writes into the context, is the last but one of its numbers.
        waiting = int.from_bytes(context[-2 * _INT : -_INT], sys.byteorder)
        return len(context) == ctypes.sizeof(self.context) and waiting < self._block


class LibcryptoHash:
    """libcrypto's hash function over a context that can be copied out and in."""

    __slots__ = ("_context", "_functions")

    def __init__(self, functions: Functions, state: bytes | None = None) -> None:
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
def functions(algorithm: str) -> Functions | None:
    library = _library()
    return Functions(library, algorithm) if library is not None else None


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
    functions = Functions(library, algorithm)
    begun = LibcryptoHash(functions)
    begun.update(first)
    resumed = LibcryptoHash(functions, begun.state())
    resumed.update(second)
    return resumed.hexdigest() == hashlib.new(algorithm, first + second).hexdigest()


@functools.cache
def library_name() -> str:
    """Return what wrote a state and may read it again, empty where nothing can."""
    library = _library()
    return f"{library.OpenSSL_version(0).decode()}; {platform.machine()}" if library is not None else ""
