"""The storage driver over an object store: a file is an object, and one that is being written is pieces."""

# ruff: noqa: ARG002 - a driver's methods take the context; this one has no use for it.

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from registry_wsgi.drivers.checks import check_offset, check_path
from registry_wsgi.errors import PathNotFound
from registry_wsgi.interfaces import FileInfo
from registry_wsgi_objectstore import listing, staging
from registry_wsgi_objectstore.locks import Lock
from registry_wsgi_objectstore.objects import Objects
from registry_wsgi_objectstore.pieces import discard, piece_path, pieces_of
from registry_wsgi_objectstore.readers import PartsReader
from registry_wsgi_objectstore.staging import StagedWriter
from registry_wsgi_objectstore.writers import PieceWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from obstore.store import ObjectStore

    from registry_wsgi.context import Context
    from registry_wsgi_objectstore.objects import Found

_Names = list[str]  # In the class, `list` is its method.

URL_LIVES: Final = timedelta(minutes=20)
"""As long as registry:2's S3 driver lets a redirect live."""


class ObjectStoreDriver:
    """Files in a store of the library obstore, below `rootdirectory`; `name` is the driver's in errors.

    The store must be able to create an object only where there is none, and to replace one only where it has not
    changed. `redirect` lets clients get files by URLs that it signs. Directories are what paths have in common: one
    that is deleted goes object by object.
    """

    def __init__(self, name: str, store: ObjectStore, *, rootdirectory: str = "", redirect: bool = False) -> None:
        self.name = name
        self._objects = Objects(name, store, rootdirectory)
        self._redirect = redirect

    def get_content(self, ctx: Context, path: str) -> bytes:
        check_path(self.name, path)
        content, _ = self._objects.get(path)
        return content or b"".join(self._objects.get(piece.path)[0] for piece in pieces_of(self._objects, path))

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        check_path(self.name, path)
        if not content:
            discard(self._objects, path)
        self._objects.put(path, content)

    def reader(self, ctx: Context, path: str, offset: int = 0) -> PartsReader:
        check_path(self.name, path)
        check_offset(self.name, path, offset)
        if offset:
            return PartsReader(self._objects, self._parts(path), offset)
        found, begun = self._objects.open(path)
        if found.size:
            return PartsReader(self._objects, [found], begun=begun)
        return PartsReader(self._objects, pieces_of(self._objects, path))

    def writer(self, ctx: Context, path: str, *, append: bool = False) -> PieceWriter:
        check_path(self.name, path)
        if append:
            self._objects.head(path)
        lock = Lock(self._objects, path)
        try:
            size = self._resumed(path) if append else self._begun(path)
        except BaseException:
            lock.release()
            raise
        return PieceWriter(self._objects, lock, size, partial(self._remove, path))

    def stat(self, ctx: Context, path: str) -> FileInfo:
        check_path(self.name, path, root_allowed=True)
        if path == "/":
            return FileInfo(path, 0, 0.0, is_directory=True)
        try:
            found = self._objects.head(path)
        except PathNotFound:
            return self._directory(path)
        written = [found] if found.size else [found, *pieces_of(self._objects, path)]
        size, modified = sum(each.size for each in written), max(each.modified for each in written)
        return FileInfo(path, size, modified, is_directory=False)

    def list(self, ctx: Context, path: str) -> list[str]:
        check_path(self.name, path, root_allowed=True)
        parent = path.rstrip("/")
        return [f"{parent}/{name}" for name in listing.children(self._objects, path)]

    def list_after(self, ctx: Context, path: str, after: str, limit: int) -> _Names:
        check_path(self.name, path, root_allowed=True)
        return listing.children_after(self._objects, path, after, limit)

    def move(self, ctx: Context, source: str, target: str) -> None:
        """Write the file's content at the target, and then delete the source: whoever dies in between did no harm."""
        check_path(self.name, source)
        check_path(self.name, target)
        parts = self._parts(source)
        if source == target:
            return
        if parts:
            self._objects.concatenate(parts, target)
        else:
            discard(self._objects, target)
            self._objects.put(target, b"")
        self._remove(source)

    def delete(self, ctx: Context, path: str) -> None:
        check_path(self.name, path)
        if not self._remove(path):
            raise PathNotFound(self.name, path)

    def redirect_url(self, ctx: Context, path: str, method: str) -> str:
        check_path(self.name, path)
        return self._objects.sign(path, method, URL_LIVES) if self._redirect else ""

    def stage(self, ctx: Context, path: str) -> StagedWriter:
        check_path(self.name, path)
        return StagedWriter(self._objects, path)

    def staged(self, ctx: Context, path: str) -> FileInfo:
        """Return what `stat` does: of what a writer has flushed it shows the pieces."""
        check_path(self.name, path)
        return self.stat(ctx, path)

    def abandoned(self, ctx: Context, before: float, *, dry_run: bool = False) -> _Names:
        return [*staging.abandoned(self._objects, before, dry_run=dry_run)]

    def _parts(self, path: str) -> Sequence[Found]:
        """Return what the file's content is in. Raises PathNotFound."""
        found = self._objects.head(path)
        return [found] if found.size else pieces_of(self._objects, path)

    def _directory(self, path: str) -> FileInfo:
        for found in self._objects.below(path):
            if not found.path.startswith(f"{path}/="):
                return FileInfo(path, 0, found.modified, is_directory=True)
        raise PathNotFound(self.name, path)

    def _begun(self, path: str) -> int:
        """Make the path an empty file, and return its size."""
        discard(self._objects, path)
        self._objects.put(path, b"")
        return 0

    def _resumed(self, path: str) -> int:
        """Make the path a file in pieces, with what it has, and return its size. Raises PathNotFound."""
        found = self._objects.head(path)
        if found.size:
            discard(self._objects, path)
            self._objects.concatenate([found], piece_path(path, 0))
            self._objects.put(path, b"")
            return found.size
        return sum(piece.size for piece in pieces_of(self._objects, path))

    def _remove(self, path: str) -> bool:
        """Delete the file, what is left of its pieces, and all below the path; tell whether there was anything."""
        paths = [found.path for found in self._objects.below(path)]
        try:
            paths.insert(0, self._objects.head(path).path)
        except PathNotFound:
            if not paths:
                return False
        self._objects.delete(paths)
        return True
