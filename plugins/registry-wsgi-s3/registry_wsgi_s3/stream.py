"""The content of one object on its way into the store: parts go up while the client is still sending."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from registry_wsgi.errors import DriverError, PathNotFound
from registry_wsgi_s3.copying import copied_parts
from registry_wsgi_s3.section import SMALLEST_PART

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor, Future

    from registry_wsgi_s3.bucket import Bucket
    from registry_wsgi_s3.records import Part
    from registry_wsgi_s3.section import Sizes

IN_FLIGHT: Final = 2
"""The parts of one stream that are on their way at the same time; one more is being filled."""
_MOST_PARTS: Final = 10_000


class PartStream:
    """A multipart upload that begins with the first whole part; what is smaller than that is put as one object.

    `parts` and `tail`, the bytes after them, are what an earlier stream left of the upload `upload`. Instead of parts
    the object that is at the key may stand first, with its `base` bytes. Memory is bounded by `IN_FLIGHT` + 1 parts.
    After an error nothing can be written any more, and `parts` are those that arrived without a gap.
    """

    def __init__(
        self,
        bucket: Bucket,
        key: str,
        sizes: Sizes,
        pool: Executor,
        *,
        upload: str = "",
        parts: Sequence[Part] = (),
        tail: bytes = b"",
        base: int = 0,
    ) -> None:
        self.upload = upload
        self.parts = list(parts)
        self.base = base
        self.size = base + sum(part.size for part in parts) + len(tail)
        self._bucket = bucket
        self._key = key
        self._sizes = sizes
        self._pool = pool
        self._buffer = bytearray(tail)
        self._kept = bytes(tail)
        self._sent: list[Future[Part]] = []
        self._failure: DriverError | None = None

    @property
    def tail(self) -> bytes:
        """The bytes that are in no part; after a failure those that an earlier stream left and no part has."""
        return bytes(self._buffer) if self._failure is None else self._kept

    def write(self, content: bytes | memoryview) -> int:
        """Add to the stream; returns when the rest of the content has room in memory. Raises DriverError."""
        left = memoryview(content).cast("B")
        length = len(left)
        while left:
            room = self._sizes.part - len(self._buffer)
            self._buffer += left[:room]
            left = left[room:]
            if len(self._buffer) == self._sizes.part:
                self._send()
        self.size += length
        return length

    def settle(self) -> None:
        """Wait until all whole parts are in the store; less than the smallest part is left as `tail`."""
        if len(self._buffer) >= SMALLEST_PART:
            self._send()
        self._collect(0)
        self._kept = bytes(self._buffer)

    def finish(self) -> None:
        """Make the object of all that was written. Raises PathNotFound where the upload is gone."""
        if not (self.upload or self.base):
            self._bucket.put(self._key, self._buffer)
            return
        if not (self.upload or self._buffer):
            return  # the object that is at the key is all there is
        if self._buffer:
            self._send()
        self._collect(0)
        try:
            self._bucket.complete(self._key, self.upload, self.parts)
        except PathNotFound:
            # A first try whose answer was lost may have done it.
            if self._bucket.head(self._key).size != self.size:
                raise

    def abort(self) -> None:
        """Forget all that was written."""
        for future in self._sent:
            future.cancel()
        with suppress(DriverError):
            self._collect(0)
        if self.upload:
            with suppress(PathNotFound):
                self._bucket.abort(self._key, self.upload)

    def _send(self) -> None:
        """Send the buffer as the next part."""
        self._collect(IN_FLIGHT - 1)
        if not self.upload:
            self._begin_with_base()
        number = len(self.parts) + len(self._sent) + 1
        if number > _MOST_PARTS:
            raise self._failed(
                DriverError(
                    self._bucket.driver,
                    f"{self._bucket.path(self._key)}: more than {_MOST_PARTS} parts; chunksize has to be larger",
                )
            )
        self._sent.append(self._pool.submit(self._bucket.put_part, self._key, self.upload, number, self._buffer))
        self._buffer = bytearray()

    def _begin_with_base(self) -> None:
        try:
            self.upload = self._bucket.begin(self._key)
            if self.base:
                source = self._bucket.head(self._key)
                self.parts = copied_parts(
                    self._bucket, self._key, source, self._sizes, target=self._key, upload=self.upload
                )
                self.base = 0
        except DriverError as error:
            raise self._failed(error)  # noqa: B904 - it is the same one

    def _collect(self, left: int) -> None:
        """Wait until no more than `left` parts are on their way. Raises the first one's DriverError."""
        if self._failure is not None:
            raise self._failure
        while len(self._sent) > left:
            try:
                self.parts.append(self._sent[0].result())
            except DriverError as error:
                for future in self._sent:
                    future.cancel()
                raise self._failed(error)  # noqa: B904
            del self._sent[0]
            self._kept = b""

    def _failed(self, error: DriverError) -> DriverError:
        self._failure = error
        self.size = self.base + sum(part.size for part in self.parts) + len(self._kept)
        return error
