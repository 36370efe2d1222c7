"""Reading request bodies: in blocks, never further than allowed, and never trusting that their end is an end."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from registry_wsgi.api.gunicorn import direct_read
from registry_wsgi.errors import LengthRequired, ManifestTooLarge, SizeInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import InputStream, WSGIEnvironment

BLOCK = 64 * 1024
"""Each upload holds a few of these: of 16 at once granian grew by 85 MB with 1 MiB, by 38 MB with 256 KiB and by 32 MB
with this, at 1.8, 2.0 and 2.0 CPU seconds a GB; with what `server` sets of granian's own buffers it is 8 or 9 MB."""
_SHARED = 1024 * 1024
"""Bytes that the blocks of all large bodies may have together, in place of `BLOCK` each: one upload alone came at 520
instead of 419 MB/s, at 1.9 instead of 2.3 CPU seconds a GB."""
_GROWTH = 32
"""A block has at most this part of what came before it, so that of uploads which begin together none takes much."""
_DISCARD = 8 * 1024 * 1024
"""Twice the largest manifest, so that a client learns why one is refused that is too large by a good deal."""
_LONGEST_LENGTH = 19
"""Digits of a Content-Length, as many as 2⁶³ has. Python refuses to read a number of thousands of them."""


_large: WeakSet[RequestBody] = WeakSet()
"""The bodies in this process that are being read by more than `BLOCK`."""


class RequestBody:
    """A body as WSGI gives it.

    `length` is its Content-Length in bytes; None is a chunked body, whose end proves nothing, for
    some servers end it in silence when the client dies. `received` counts what was read.
    """

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.length = _length(environ)
        self.received = 0
        self._most = _SHARED
        stream: InputStream = environ["wsgi.input"]
        self._next = direct_read(stream) or stream.read
        self._expects_continue = "HTTP_EXPECT" in environ

    @property
    def empty(self) -> bool:
        return self.length == 0

    def blocks(self) -> Iterator[bytes]:
        """Give the body in blocks of `BLOCK` bytes, or more where few are read. Raises SizeInvalid where it ends early.

        None is kept here while the next is waited for, as a generator would.
        """
        return iter(self._block, b"")

    def _block(self) -> bytes:
        size = self._share()
        if self.length is not None:
            size = min(size, self.length - self.received)
        block = self._read(size) if size else b""
        if not block:
            self._check_whole()
        return block

    def _share(self) -> int:
        """Return how many bytes to read at once."""
        earned = self.received // _GROWTH
        if earned <= BLOCK:
            return BLOCK
        _large.add(self)
        # When others end it grows no more: their memory is free in pieces, and a large block would be new memory.
        self._most = max(BLOCK, min(self._most, _SHARED // len(_large)))
        return min(earned, self._most)

    def read(self, limit: int) -> bytes:
        """Return the whole body; raise ManifestTooLarge, having read no more than one byte above `limit`."""
        if self.length is not None and self.length > limit:
            raise ManifestTooLarge(f"the body has {self.length} bytes; {limit} are allowed")
        content = bytearray()
        while self.length is None or len(content) < self.length:
            wanted = (limit + 1 if self.length is None else self.length) - len(content)
            block = self._read(min(BLOCK, wanted))
            if not block:
                break
            content += block
            if len(content) > limit:
                raise ManifestTooLarge(f"the body has more than the {limit} bytes that are allowed")
        self._check_whole()
        return bytes(content)

    def discard(self) -> None:
        """Read a short rest of the body, so that a client that is still sending gets to see the answer.

        Of a body that nobody has begun to read none is taken where its client waits for `100 Continue`, or where no
        length says that it is short.
        """
        rest = None if self.length is None else self.length - self.received
        unasked = not self.received and (self._expects_continue or rest is None)
        if unasked or (rest is not None and rest > _DISCARD):
            return
        most = self.received + _DISCARD
        try:
            for _ in self.blocks():
                if self.received > most:
                    return
        except SizeInvalid:
            return

    def _read(self, size: int) -> bytes:
        # A dead client is OSError on most servers, ValueError on one; chunks that are none are an exception of
        # gunicorn's own. Whatever it is that the server says, the body cannot be read any further.
        try:
            block = self._next(size)
        except Exception as error:
            raise SizeInvalid(f"the body broke off after {self.received} bytes: {error}") from error
        self.received += len(block)
        return block

    def _check_whole(self) -> None:
        if self.length is not None and self.received < self.length:
            raise SizeInvalid(f"the body ended after {self.received} of {self.length} bytes")


def _length(environ: WSGIEnvironment) -> int | None:
    """Return the length of the body, None for one that ends by itself. Raises LengthRequired, SizeInvalid."""
    chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    text = environ.get("CONTENT_LENGTH", "")
    if text and not chunked:
        if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_LENGTH):
            raise SizeInvalid(f"the Content-Length {text[:40]!r} is no number of bytes")
        return int(text)
    if environ.get("wsgi.input_terminated"):
        # HTTP/2 sends bodies without either header, so the end of the input has to tell.
        return None if chunked or environ.get("SERVER_PROTOCOL") == "HTTP/2" else 0
    if chunked:
        raise LengthRequired("this server does not hand on chunked bodies: send a Content-Length")
    return 0
