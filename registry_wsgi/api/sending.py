"""Sending blobs: whole, one range, or several (RFC 9110 §14)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from werkzeug.http import parse_range_header

from registry_wsgi.descriptor import OCTET_STREAM
from registry_wsgi.errors import RangeInvalid

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.interfaces import FileReader

BLOCK = 512 * 1024
"""Bytes read and handed to the server at a time. granian holds some eight blocks of each connection. Blocks of this
size send 12 % more for each second of the processor than half of it does; twice as many bytes would be 3 % more."""
_FIRST = 128 * 1024
_GROWTH = 16
"""A block has `_FIRST` bytes, or at most this part of what was sent before it: of 100 clients that read nothing granian
grew by 1.4 MB for each, and by 3.6 MB with large blocks at once."""
SHORT = 1024 * 1024
"""Up to this many bytes a body is read and sent in one piece, which may be remembered: 1 MiB is sent at 23 % less than
streaming it takes."""
SHORT_BESIDE_FILES = 256 * 1024
"""The same on a server that sends files by itself, to which reading them is a waste."""
_MOST_RANGES = 64

Range = tuple[int, int]
"""First byte and the one after the last."""


def requested_ranges(header: str, size: int) -> list[Range] | None:
    """Return the ranges to send, or None where the header is to be ignored (RFC 9110 §14.2).

    Ignored are malformed headers, other units, more ranges than `_MOST_RANGES` and ranges that together
    exceed the blob. Raises RangeInvalid where none can be satisfied.
    """
    parsed = parse_range_header(header)
    if parsed is None or parsed.units != "bytes":
        return None
    if len(parsed.ranges) > _MOST_RANGES:
        return None
    ranges = [found for begin, end in parsed.ranges if (found := _within(begin, end, size)) is not None]
    if not ranges:
        detail = f"no part of {header[:80]!r} is within the {size} bytes"
        raise RangeInvalid(detail, headers={"Content-Range": f"bytes */{size}"})
    return ranges if sum(end - begin for begin, end in ranges) <= size else None


def _within(begin: int, end: int | None, size: int) -> Range | None:
    if begin < 0:
        begin, end = max(0, size + begin), size
    end = size if end is None else min(end, size)
    return (begin, end) if begin < end else None


def whole(environ: WSGIEnvironment, reader: FileReader, size: int) -> Iterable[bytes]:
    """Return the body of a whole blob, as something the server can send from the file itself if it knows how."""
    wrapper = environ.get("wsgi.file_wrapper") if hasattr(reader, "fileno") else None
    if size <= (SHORT if wrapper is None else SHORT_BESIDE_FILES):
        return [_read(reader, size)]
    if wrapper is not None:
        wrapped: Iterable[bytes] = wrapper(reader, BLOCK)
        return wrapped
    return _Blocks(reader, size)


def _read(reader: FileReader, size: int) -> bytes:
    """Return the next `size` bytes, or what is left, and close the reader."""
    try:
        content = reader.read(size) if size else b""
        while len(content) < size and (more := reader.read(size - len(content))):
            content += more
        return content
    finally:
        reader.close()


def part(reader: FileReader, begin: int, end: int) -> Iterable[bytes]:
    """Return the bytes from `begin` up to `end`. Some servers send a wrapped file to its end, so it is not wrapped."""
    reader.seek(begin)
    return _Blocks(reader, end - begin)


class _Blocks:
    """The next `size` bytes of a reader in blocks; closes it at the end, or when the server is done with it.

    A reader may say with `block` how many bytes it is best read by.
    """

    def __init__(self, reader: FileReader, size: int) -> None:
        self._reader = reader
        self._most: int = getattr(reader, "block", BLOCK)
        self._sent = 0
        self._left = size

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        size = min(self._most, max(_FIRST, self._sent // _GROWTH), self._left)
        block = self._reader.read(size) if size else b""
        if not block:
            self._reader.close()
            raise StopIteration
        self._sent += len(block)
        self._left -= len(block)
        return block

    def close(self) -> None:
        self._reader.close()


class Multipart:
    """Several ranges as `multipart/byteranges` (RFC 9110 §14.6); `length` is known before anything is sent."""

    def __init__(self, reader: FileReader, ranges: list[Range], size: int) -> None:
        boundary = uuid.uuid4().hex
        self.content_type = f"multipart/byteranges; boundary={boundary}"
        self._reader = reader
        self._parts = [
            (
                f"--{boundary}\r\nContent-Type: {OCTET_STREAM}\r\n"
                f"Content-Range: bytes {begin}-{end - 1}/{size}\r\n\r\n".encode(),
                begin,
                end,
            )
            for begin, end in ranges
        ]
        self._closing = f"--{boundary}--\r\n".encode()
        self.length = sum(len(head) + end - begin + 2 for head, begin, end in self._parts) + len(self._closing)
        self._iterator = self._generate()

    def __iter__(self) -> Iterator[bytes]:
        return self._iterator

    def close(self) -> None:
        self._iterator.close()
        self._reader.close()

    def _generate(self) -> Generator[bytes, None, None]:
        for head, begin, end in self._parts:
            yield head
            self._reader.seek(begin)
            left = end - begin
            while left and (block := self._reader.read(min(BLOCK, left))):
                left -= len(block)
                yield block
            yield b"\r\n"
        yield self._closing
