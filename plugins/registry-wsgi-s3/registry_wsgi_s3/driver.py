"""The storage driver `s3`: every path is one object, directories are what keys have in common.

A path is one object, as in registry:2: either reads what the other wrote. Every object appears whole or not at all, and
is durable when a call returns. What a client uploads stays in the store between its requests, see `state`.
"""

# ruff: noqa: ARG002 - a driver's methods take the context; this one has no use for it.

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from registry_wsgi.drivers.checks import check_offset, check_path
from registry_wsgi.errors import PathNotFound
from registry_wsgi.interfaces import FileInfo
from registry_wsgi_s3 import abandoned, access, copying, listing, state
from registry_wsgi_s3.bucket import Bucket
from registry_wsgi_s3.reader import ObjectReader
from registry_wsgi_s3.section import Section
from registry_wsgi_s3.stream import PartStream
from registry_wsgi_s3.writer import ResumableWriter, StagedWriter, open_writer

if TYPE_CHECKING:
    from registry_wsgi.context import Context

_Names = list[str]  # In the class, `list` is its method.

_SENDERS: Final = 16
"""The parts that one process sends at the same time, of all streams together."""
_URL_SECONDS: Final = 20 * 60
_REDIRECTED: Final = {"GET": "get_object", "HEAD": "head_object"}


class S3Driver:
    """The storage drivers `s3` and `s3aws`. Raises ConfigurationError; the store is asked by the first request."""

    name = "s3"
    __signature__: Final = inspect.signature(Section, eval_str=True)

    def __init__(self, **parameters: Any) -> None:
        section = Section(**parameters)
        section.check()
        self._sizes = section.sizes()
        self._bucket = Bucket(section, self.name)
        self._signer = access.redirect_client(section) if section.redirectendpoint else None
        self._pool = ThreadPoolExecutor(_SENDERS, thread_name_prefix="s3")
        self._lease = float(section.uploadlease)

    def get_content(self, ctx: Context, path: str) -> bytes:
        check_path(self.name, path)
        return self._bucket.content(self._bucket.key(path))[1]

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        check_path(self.name, path)
        self._bucket.put(self._bucket.key(path), content)

    def reader(self, ctx: Context, path: str, offset: int = 0) -> ObjectReader:
        check_path(self.name, path)
        check_offset(self.name, path, offset)
        return ObjectReader(self._bucket, path, offset)

    def writer(self, ctx: Context, path: str, *, append: bool = False) -> ResumableWriter:
        check_path(self.name, path)
        return open_writer(self._bucket, path, self._sizes, self._pool, self._lease, append=append)

    def stat(self, ctx: Context, path: str) -> FileInfo:
        check_path(self.name, path, root_allowed=True)
        if path != "/":
            try:
                found = self._bucket.head(self._bucket.key(path))
                return FileInfo(path, found.size, found.modified, is_directory=False)
            except PathNotFound:
                pass
        if listing.is_directory(self._bucket, path):
            return FileInfo(path, 0, 0.0, is_directory=True)
        raise PathNotFound(self.name, path)

    def list(self, ctx: Context, path: str) -> list[str]:
        check_path(self.name, path, root_allowed=True)
        parent = path.rstrip("/")
        return [f"{parent}/{name}" for name in listing.children(self._bucket, path)]

    def list_after(self, ctx: Context, path: str, after: str, limit: int) -> _Names:
        check_path(self.name, path, root_allowed=True)
        return listing.children_after(self._bucket, path, after, limit)

    def move(self, ctx: Context, source: str, target: str) -> None:
        """Copy within the store and delete the source; an upload's state goes with it."""
        check_path(self.name, source)
        check_path(self.name, target)
        from_key, to_key = self._bucket.key(source), self._bucket.key(target)
        found = self._bucket.head(from_key)
        if from_key != to_key:
            copying.copy(self._bucket, from_key, found, to_key, self._sizes)
            self._bucket.delete([from_key, from_key + state.SUFFIX])

    def delete(self, ctx: Context, path: str) -> None:
        check_path(self.name, path)
        found = False
        for keys in listing.below(self._bucket, path):
            self._bucket.delete([*keys, *listing.markers(self._bucket, path, keys)])
            found = True
        if not found:
            raise PathNotFound(self.name, path)

    # ── abilities ──

    def redirect_url(self, ctx: Context, path: str, method: str) -> str:
        """Return a URL for GET or HEAD that is good for twenty minutes, as registry:2's are."""
        check_path(self.name, path)
        if method not in _REDIRECTED:
            return ""
        return self._bucket.url(_REDIRECTED[method], self._bucket.key(path), _URL_SECONDS, self._signer)

    def stage(self, ctx: Context, path: str) -> StagedWriter:
        check_path(self.name, path)
        return StagedWriter(PartStream(self._bucket, self._bucket.key(path), self._sizes, self._pool))

    def staged(self, ctx: Context, path: str) -> FileInfo:
        check_path(self.name, path)
        unfinished = state.look(self._bucket, path)
        if unfinished is None:
            return self.stat(ctx, path)
        size, modified = unfinished
        return FileInfo(path, size, modified, is_directory=False)

    def abandoned(self, ctx: Context, before: float, *, dry_run: bool = False) -> _Names:
        return [*abandoned.abandoned(self._bucket, before, dry_run=dry_run)]
