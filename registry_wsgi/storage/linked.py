"""The blobs of one repository: reached only through its links.

Layers and manifest revisions are the same thing with different link paths, so one class
serves both. A look-up tries the paths in order and success at any of them wins; only the
first is ever written.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from registry_wsgi.descriptor import CANONICAL_ALGORITHM, Descriptor, Digest
from registry_wsgi.errors import BlobUnknown, PathNotFound, Unsupported
from registry_wsgi.storage.direct import DirectUpload
from registry_wsgi.storage.links import read_link

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import (
        BlobAccessController,
        BlobStatter,
        BlobStore,
        BlobWriter,
        FileReader,
        StorageDriver,
    )
    from registry_wsgi.storage.blobs import GlobalBlobStore
    from registry_wsgi.storage.recent import RecentLinks
    from registry_wsgi.storage.uploads import BlobUpload, Uploads

    LinkPath = Callable[[Digest], str]


class LinkedBlobStatter:
    """A BlobAccessController over link files: no link, no blob."""

    def __init__(
        self, driver: StorageDriver, target: BlobStatter, link_paths: tuple[LinkPath, ...], recent: RecentLinks
    ) -> None:
        self._driver = driver
        self._target = target
        self._recent = recent
        self._link_paths = link_paths

    def resolve(self, ctx: Context, digest: Digest) -> Digest:
        """Return the canonical digest that the link of `digest` holds. Raises BlobUnknown.

        The link of another algorithm's digest holds only while the canonical one is there,
        so that deleting that one deletes the content by all its names.
        """
        canonical = self._read(ctx, digest)
        return canonical if canonical == digest else self._read(ctx, canonical)

    def _read(self, ctx: Context, digest: Digest) -> Digest:
        for link_path in self._link_paths:
            path = link_path(digest)
            asked = time.monotonic()
            try:
                canonical = read_link(self._driver, ctx, path)
            except PathNotFound:
                continue
            self._recent.saw(ctx, path, asked)
            return canonical
        raise BlobUnknown(digest)

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        return self._target.stat(ctx, self.resolve(ctx, digest))

    def known(self, ctx: Context, digest: Digest) -> Descriptor:
        return self.stat(ctx, digest)

    def linked(self, ctx: Context, digest: Digest) -> bool:
        if digest.algorithm != CANONICAL_ALGORITHM:
            return self._resolves(ctx, digest)
        for link_path in self._link_paths:
            try:
                self._recent.stat(ctx, link_path(digest))
            except PathNotFound:
                continue
            return True
        return False

    def _resolves(self, ctx: Context, digest: Digest) -> bool:
        try:
            self.resolve(ctx, digest)
        except BlobUnknown:
            return False
        return True

    def link(self, ctx: Context, canonical: Digest, aliases: Iterable[Digest] = ()) -> None:
        """Write the canonical link, then those of other digests of the same content."""
        for digest in dict.fromkeys((canonical, *aliases)):
            path = self._link_paths[0](digest)
            asked = time.monotonic()
            self._driver.put_content(ctx, path, canonical.encode())
            self._recent.saw(ctx, path, asked)

    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        """Do nothing: links hold no descriptor."""

    def clear(self, ctx: Context, digest: Digest) -> None:
        """Delete the links at all paths, the canonical ones first. Raises BlobUnknown where there was none."""
        names = (digest,) if digest.algorithm == CANONICAL_ALGORITHM else (self.resolve(ctx, digest), digest)
        found = [self._delete(ctx, link_path(name)) for name in names for link_path in self._link_paths]
        if not any(found):
            raise BlobUnknown(digest)

    def _delete(self, ctx: Context, path: str) -> bool:
        self._recent.forget(ctx, path)
        try:
            self._driver.delete(ctx, path)
        except PathNotFound:
            return False
        finally:
            self._recent.forget(ctx, path)
        return True


class LinkedBlobStore:
    """The BlobStore of a repository.

    `access` answers reads and may be cached; `links` asks the driver and answers whatever
    decides about a write.
    """

    def __init__(
        self,
        blobs: GlobalBlobStore,
        links: LinkedBlobStatter,
        access: BlobAccessController,
        uploads: Uploads,
        *,
        delete_enabled: bool,
    ) -> None:
        self._blobs = blobs
        self._links = links
        self._access = access
        self._uploads = uploads
        self._delete_enabled = delete_enabled

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        return self._access.stat(ctx, digest)

    def confirm(self, ctx: Context, digest: Digest) -> Descriptor:
        return self._links.stat(ctx, digest)

    def linked(self, ctx: Context, digest: Digest) -> bool:
        """Tell whether the repository has the link *and* the blob, asking the driver."""
        try:
            self.confirm(ctx, digest)
        except BlobUnknown:
            return False
        return True

    def get(self, ctx: Context, digest: Digest) -> bytes:
        return self._blobs.get(ctx, self._links.resolve(ctx, digest))

    def open(self, ctx: Context, digest: Digest) -> tuple[Descriptor, FileReader]:
        descriptor = self._access.known(ctx, digest)
        return descriptor, self._blobs.open(ctx, descriptor.digest)

    def url(self, ctx: Context, descriptor: Descriptor, method: str) -> str:
        return self._blobs.url(ctx, descriptor.digest, method)

    def put(self, ctx: Context, media_type: str, content: bytes, alias: Digest | None = None) -> Descriptor:
        """Store and link small content under its canonical digest, and under `alias` if that is another."""
        stored = self._blobs.put(ctx, content)
        descriptor = Descriptor(digest=stored.digest, size=stored.size, media_type=media_type)
        self.link(ctx, descriptor, alias or descriptor.digest)
        return descriptor

    def link(self, ctx: Context, descriptor: Descriptor, alias: Digest) -> None:
        """Link first, cache last: whoever finds the descriptor finds the link.

        Raises Unavailable where the content was there, and has just been garbage collected.
        """
        self._links.link(ctx, descriptor.digest, (alias,))
        self._blobs.keep(ctx, descriptor.digest)
        for digest in dict.fromkeys((descriptor.digest, alias)):
            self._access.set_descriptor(ctx, digest, descriptor)

    def create(self, ctx: Context) -> BlobUpload:
        return self._uploads.create(ctx, self)

    def direct(self, ctx: Context, digest: Digest, instead_of: BlobWriter | None = None) -> DirectUpload | None:
        staged = self._blobs.stage(ctx, digest) if digest.algorithm == CANONICAL_ALGORITHM else None
        return DirectUpload(staged, self._blobs, self, instead_of) if staged is not None else None

    def resume(self, ctx: Context, upload_id: str) -> BlobUpload:
        return self._uploads.resume(ctx, self, upload_id)

    def link_again(self, ctx: Context, upload_id: str, digest: Digest) -> Descriptor:
        return self._uploads.link_again(ctx, self, upload_id, digest)

    def upload_size(self, ctx: Context, upload_id: str) -> int:
        return self._uploads.size(ctx, upload_id)

    def rely_on(self, ctx: Context, digests: Collection[Digest]) -> bool:
        """Have a garbage collection beside this keep the digests; True where they are to be looked for again.

        Raises Unavailable where one of them is being deleted.
        """
        return self._blobs.rely_on(ctx, digests)

    def mount(self, ctx: Context, digest: Digest, source: BlobStore) -> Descriptor:
        descriptor = source.confirm(ctx, digest)
        self.link(ctx, descriptor, digest)
        return descriptor

    def delete(self, ctx: Context, digest: Digest) -> None:
        if not self._delete_enabled:
            raise Unsupported("deletion is off: storage.delete.enabled is not true")
        self._access.clear(ctx, digest)
