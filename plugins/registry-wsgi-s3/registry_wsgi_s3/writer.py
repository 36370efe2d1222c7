"""The two writers: one that others can go on after, and one whose content is there whole or not at all."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from registry_wsgi.drivers.checks import check_open
from registry_wsgi.errors import DriverError, PathNotFound
from registry_wsgi_s3.recovery import recovered, state_of_object
from registry_wsgi_s3.state import Hold, State
from registry_wsgi_s3.stream import PartStream

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from registry_wsgi_s3.bucket import Bucket
    from registry_wsgi_s3.section import Sizes


def open_writer(
    bucket: Bucket, path: str, sizes: Sizes, pool: Executor, lease: float, *, append: bool
) -> ResumableWriter:
    """Return the only writer of the path. Raises PathBusy, and PathNotFound where there is nothing to append to."""
    key = bucket.key(path)
    hold = Hold(bucket, path, lease)
    state, owner_died = hold.take()
    if state is None:
        state = state_of_object(bucket, key) if append else State()
        hold.begin(state)
    elif not append:
        if state.upload:
            with suppress(PathNotFound):
                bucket.abort(key, state.upload)
        state = State()
        hold.save(state)
    elif owner_died:
        try:
            state = recovered(bucket, key, state)
        except PathNotFound:
            hold.drop()
            raise
        hold.save(state)
    stream = PartStream(
        bucket, key, sizes, pool, upload=state.upload, parts=state.parts, tail=state.tail, base=state.base
    )
    return ResumableWriter(bucket, path, hold, stream)


class ResumableWriter:
    """The FileWriter of a path that it holds; what is not committed stays in the store for the next one.

    `flush`, `commit` and `cancel` raise PathNotFound where the write was deleted, or taken over by another.
    """

    def __init__(self, bucket: Bucket, path: str, hold: Hold, stream: PartStream) -> None:
        self._bucket = bucket
        self._key = bucket.key(path)
        self._hold = hold
        self._stream = stream
        self._ended = ""
        self._unsaved = False

    @property
    def size(self) -> int:
        return self._stream.size

    def write(self, content: bytes | memoryview, /) -> int:
        check_open(self._ended)
        self._hold.renew()
        self._unsaved = True
        return self._stream.write(content)

    def flush(self) -> None:
        check_open(self._ended)
        self._stream.settle()
        if self._unsaved:
            self._hold.save(self._state())
            self._unsaved = False

    def commit(self) -> None:
        check_open(self._ended)
        self._hold.renew()
        self._stream.finish()
        self._ended = "committed"

    def cancel(self) -> None:
        check_open(self._ended)
        self._hold.renew()
        self._stream.abort()
        self._hold.renew()  # what is deleted has to be ours still
        self._bucket.delete([self._key, self._hold.key])
        self._ended = "cancelled"

    def close(self) -> None:
        """Let go of the path. What a store that fails does not take any more is lost, and the hold runs out."""
        ended, self._ended = self._ended, "closed"
        if ended == "committed":
            with suppress(DriverError):
                self._hold.drop()
        elif not ended:
            with suppress(DriverError):
                self._stream.settle()
            self._hold.save(self._state(), owned=False)

    def _state(self) -> State:
        stream = self._stream
        return State(stream.upload, tuple(stream.parts), stream.tail, stream.base)


class StagedWriter:
    """The FileWriter of content that nobody goes on with: closed without a commit it is gone.

    `flush` sends what makes a part, and promises nothing.
    """

    def __init__(self, stream: PartStream) -> None:
        self._stream = stream
        self._ended = ""

    @property
    def size(self) -> int:
        return self._stream.size

    def write(self, content: bytes | memoryview, /) -> int:
        check_open(self._ended)
        return self._stream.write(content)

    def flush(self) -> None:
        check_open(self._ended)

    def commit(self) -> None:
        check_open(self._ended)
        self._stream.finish()
        self._ended = "committed"

    def cancel(self) -> None:
        check_open(self._ended)
        self._ended = "cancelled"
        self._stream.abort()

    def close(self) -> None:
        ended, self._ended = self._ended, "closed"
        if not ended:
            with suppress(DriverError):  # what cannot be aborted the purger finds
                self._stream.abort()
