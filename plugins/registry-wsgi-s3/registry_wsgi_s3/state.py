"""The state of an unfinished write, in an object beside its place: who writes, and what has arrived.

    <path>              the object, once the write is committed
    <path>~upload       one line of JSON, then the bytes that are too few for a part:
                        owner   who writes, empty where nobody does
                        lease   seconds for which the owner may be silent
                        upload  the id of the multipart upload, and its parts
                        base    bytes of the object at <path> that come first, instead of parts

No path of a registry can have `~` in it, so no other one takes it for a file; it goes when its directory is deleted.

Each change is a conditional request: it is made only if the state is the one that was last seen. So of two writers one
wins, on whatever hosts they are, and one that lost its lease while it stood still cannot change anything any more. How
old a lease is the store's own clock says, of the state's last change and of now.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from registry_wsgi.errors import DriverError, PathBusy, PathNotFound
from registry_wsgi_s3.failures import NotImplementedByStore, Unmet
from registry_wsgi_s3.records import Part

if TYPE_CHECKING:
    from registry_wsgi_s3.bucket import Bucket

SUFFIX = "~upload"
_WHOLE_SECOND = 1.0
"""What an age may be too large by: a store tells the time in whole seconds."""


@dataclass(frozen=True, slots=True)
class State:
    """What has arrived of an unfinished write."""

    upload: str = ""
    parts: tuple[Part, ...] = ()
    tail: bytes = b""
    base: int = 0

    @property
    def size(self) -> int:
        return self.base + sum(part.size for part in self.parts) + len(self.tail)


@dataclass(frozen=True, slots=True)
class _Record:
    state: State
    owner: str
    lease: float
    turn: str
    etag: str
    age: float

    @property
    def held(self) -> bool:
        return bool(self.owner) and self.age < self.lease + _WHOLE_SECOND


class Hold:
    """The exclusive hold of one path's state, kept by renewing it before the lease is over."""

    def __init__(self, bucket: Bucket, path: str, lease: float) -> None:
        self.key = bucket.key(path) + SUFFIX
        self._bucket = bucket
        self._path = path
        self._lease = lease
        self._owner = secrets.token_hex(8)
        self._etag = ""
        self._saved = State()
        self._renewed = time.monotonic()

    def take(self) -> tuple[State | None, bool]:
        """Return the state and whether its last owner died; None where there was none, which `begin` has to make.

        Raises PathBusy while another holds the path.
        """
        found = _read(self._bucket, self.key)
        if found is None:
            return None, False
        if found.held:
            raise self._busy()
        self._etag = found.etag
        try:
            self.save(found.state)
        except PathNotFound:
            raise self._busy() from None
        return found.state, bool(found.owner)

    def begin(self, state: State) -> None:
        """Make the state where there is none. Raises PathBusy where another did first."""
        try:
            self.save(state)
        except PathNotFound:
            raise self._busy() from None

    def save(self, state: State, *, owned: bool = True) -> None:
        """Write the state; not `owned` lets go of it. Raises PathNotFound where it is another's, or gone."""
        turn = secrets.token_hex(8)
        header = {
            "version": 1,
            "owner": self._owner if owned else "",
            "turn": turn,
            "lease": self._lease,
            "upload": state.upload,
            "base": state.base,
            "parts": [[part.size, part.etag] for part in state.parts],
        }
        content = json.dumps(header, separators=(",", ":")).encode() + b"\n" + state.tail
        condition = {"IfMatch": self._etag} if self._etag else {"IfNoneMatch": "*"}
        began = time.monotonic()
        try:
            self._etag = self._put(content, state, condition)
        except (Unmet, PathNotFound):
            self._etag = self._put_after_all(content, state, turn)
        self._saved, self._renewed = state, began

    def renew(self) -> None:
        """Renew the hold if a third of the lease is over. Raises PathNotFound where another has taken it."""
        if time.monotonic() - self._renewed > self._lease / 3:
            self.save(self._saved)

    def drop(self) -> None:
        """Delete the state. One whose lease is over may be another's by now, and is left alone."""
        if time.monotonic() - self._renewed < self._lease / 2:
            self._bucket.delete([self.key])

    def _put_after_all(self, content: bytes, state: State, turn: str) -> str:
        """Return the entity tag of what was refused. Raises PathNotFound where it was refused rightly."""
        found = _read(self._bucket, self.key)
        if found is not None and found.turn == turn:
            return found.etag  # a first try, whose answer was lost, had done it
        if found is not None and found.etag == self._etag:
            return self._put(content, state, {})  # Ceph before 20 refuses what does match, too
        raise PathNotFound(self._bucket.driver, self._path)

    def _put(self, content: bytes, state: State, condition: dict[str, str]) -> str:
        metadata = {"size": str(state.size)}
        try:
            return self._bucket.put(self.key, content, Metadata=metadata, **condition)
        except NotImplementedByStore:
            # The hold is then as good as the look at the state before it was taken; the README says so.
            return self._bucket.put(self.key, content, Metadata=metadata)

    def _busy(self) -> PathBusy:
        return PathBusy(self._bucket.driver, self._path)


def look(bucket: Bucket, path: str) -> tuple[int, float] | None:
    """Return the size of the unfinished write of the path and when its state was last changed; None without one."""
    try:
        found = bucket.head(bucket.key(path) + SUFFIX)
        return int(found.metadata["size"]), found.modified
    except PathNotFound:
        return None
    except (KeyError, ValueError):
        raise DriverError(bucket.driver, f"{path}: the state of its upload is damaged") from None


def _read(bucket: Bucket, key: str) -> _Record | None:
    try:
        found, content = bucket.content(key)
    except PathNotFound:
        return None
    line, _, tail = content.partition(b"\n")
    try:
        header: dict[str, Any] = json.loads(line)
        parts = tuple(Part(size, etag) for size, etag in header["parts"])
        state = State(header["upload"], parts, tail, header["base"])
        return _Record(state, header["owner"], header["lease"], header["turn"], found.etag, found.age)
    except (ValueError, KeyError, TypeError):
        raise DriverError(bucket.driver, f"{bucket.path(key)}: the state of an upload is damaged") from None
