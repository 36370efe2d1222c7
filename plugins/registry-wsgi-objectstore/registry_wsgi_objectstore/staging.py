"""Content whose place is known before it arrives: it is sent there at once, and is seen when it is whole.

    /=staged/<uuid>              the path to which a stream was begun that is neither committed nor cancelled

obstore neither lists nor aborts what a store has of unfinished streams. With these objects the purger can tell whose
time is over; what has arrived of them the store itself gives up: Azure after a week, others by a rule of the bucket.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Final

from registry_wsgi.drivers.checks import check_open
from registry_wsgi.errors import PathBusy, PathNotFound
from registry_wsgi_objectstore.objects import PART
from registry_wsgi_objectstore.pieces import discard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi_objectstore.objects import Objects

_DIRECTORY: Final = "/=staged"
_RENEWED_EVERY: Final = 300.0


class Stream:
    """A stream to one path, and the object that says that it is unfinished, and when it was last written to."""

    def __init__(self, objects: Objects, path: str) -> None:
        self._objects = objects
        self._path = path
        self._mark = f"{_DIRECTORY}/{uuid.uuid4().hex}"
        self._version = objects.create(self._mark, path.encode())
        self._renewed = time.monotonic()
        self._writer = objects.write(path)

    def send(self, content: bytes | memoryview) -> None:
        """Raises PathNotFound where the stream was given up."""
        if time.monotonic() > self._renewed + _RENEWED_EVERY:
            self._renew()
        with self._objects.failures(self._path):
            self._writer.write(content)

    def finish(self) -> None:
        """Make what was sent what is at the path. Raises PathNotFound where the stream was given up."""
        self._renew()
        with self._objects.failures(self._path):
            self._writer.close()
        self.give_up()

    def give_up(self) -> None:
        """Let the store have what was sent: obstore cannot take it back."""
        self._objects.delete([self._mark])

    def _renew(self) -> None:
        try:
            self._version = self._objects.replace(self._mark, self._path.encode(), self._version)
        except PathBusy:
            raise PathNotFound(self._objects.name, self._path) from None
        self._renewed = time.monotonic()


class StagedWriter:
    """The FileWriter of new content. Up to `PART` bytes wait for the commit, and are one request; of more a stream is
    begun, of which a store shows nothing before its end. `flush` promises nothing.
    """

    def __init__(self, objects: Objects, path: str) -> None:
        self.size = 0
        self._objects = objects
        self._path = path
        self._buffer = bytearray()
        self._stream: Stream | None = None
        self._ended = ""

    def write(self, content: bytes | memoryview, /) -> int:
        check_open(self._ended)
        if self._stream is not None:
            self._stream.send(content)
        else:
            self._buffer += content
            if len(self._buffer) > PART:
                self._stream = Stream(self._objects, self._path)
                self._stream.send(bytes(self._buffer))
                self._buffer.clear()
        self.size += len(content)
        return len(content)

    def flush(self) -> None:
        check_open(self._ended)

    def commit(self) -> None:
        check_open(self._ended)
        if self._stream is not None:
            self._stream.finish()
        else:
            if not self._buffer:
                discard(self._objects, self._path)
            self._objects.put(self._path, self._buffer)
        self._ended = "committed"

    def cancel(self) -> None:
        check_open(self._ended)
        self._ended = "cancelled"
        self._give_up()

    def close(self) -> None:
        ended, self._ended = self._ended, self._ended or "closed"
        if not ended:
            self._give_up()

    def _give_up(self) -> None:
        if self._stream is not None:
            self._stream.give_up()


def abandoned(objects: Objects, before: float, *, dry_run: bool) -> Iterator[str]:
    """Give up the streams to which nothing has come since `before`, and yield their paths."""
    for found in list(objects.below(_DIRECTORY)):
        if found.modified >= before:
            continue
        try:
            path, _ = objects.get(found.path)
        except PathNotFound:  # finished meanwhile
            continue
        if not dry_run:
            objects.delete([found.path])
        yield path.decode()
