"""The global blob store: content by its canonical digest, shared by all repositories.

It gives nobody access to anything; the linked stores of repositories do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.drivers.abilities import redirect_url, stage
from registry_wsgi.errors import BlobUnknown, DriverError, ManifestTooLarge, PathNotFound
from registry_wsgi.storage import paths
from registry_wsgi.storage.collection import CollectionWatch, too_late
from registry_wsgi.storage.presence import presence

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import FileInfo, FileReader, FileWriter, StorageDriver

SMALL = 4 * 1024 * 1024
"""The most bytes that are ever read into memory at once: the limit of a manifest (OCI Distribution Spec 1.1, end-7)."""


class GlobalBlobStore:
    """Blobs by canonical digest over a driver; a BlobStatter that always asks the driver."""

    def __init__(self, driver: StorageDriver) -> None:
        self._driver = driver
        self._collection = CollectionWatch(driver)
        self._presence = presence(driver)

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        """Return size and digest as `application/octet-stream`. Raises BlobUnknown."""
        info = self._look_up(ctx, digest)
        if info is None:
            raise BlobUnknown(digest)
        return Descriptor(digest=digest, size=info.size)

    def stands(self, ctx: Context, digest: Digest) -> bool:
        """Tell whether the data is there still, at less than the cost of `stat` where `Presence` knows."""
        return self._presence.stands(digest) or self._look_up(ctx, digest) is not None

    def open(self, ctx: Context, digest: Digest) -> FileReader:
        """Return a stream of the content. Raises BlobUnknown."""
        try:
            return self._driver.reader(ctx, paths.blob_data(digest))
        except PathNotFound:
            self._presence.missed(digest)
            raise BlobUnknown(digest) from None

    def url(self, ctx: Context, digest: Digest, method: str) -> str:
        """Return where a client gets the content itself, empty where it has to come through the registry."""
        return redirect_url(self._driver, ctx, paths.blob_data(digest), method)

    def get(self, ctx: Context, digest: Digest) -> bytes:
        """Return the content of a small blob; raise BlobUnknown, or ManifestTooLarge above `SMALL` bytes."""
        reader = self.open(ctx, digest)
        try:
            content = bytearray()
            while block := reader.read(SMALL + 1 - len(content)):
                content += block
        finally:
            reader.close()
        if len(content) > SMALL:
            raise ManifestTooLarge(f"{digest} has more than {SMALL} bytes and cannot be a manifest")
        return bytes(content)

    def put(self, ctx: Context, content: bytes) -> Descriptor:
        """Store `content` unless the driver has it; return its canonical descriptor."""
        descriptor = Descriptor(digest=Digest.of(content), size=len(content))
        if not self._has(ctx, descriptor):
            self._driver.put_content(ctx, paths.blob_data(descriptor.digest), content)
            self._presence.found(descriptor.digest)
        return descriptor

    def stage(self, ctx: Context, digest: Digest) -> FileWriter | None:
        """Return a writer of the blob's data, which is nowhere before it is published; None where there is none."""
        return stage(self._driver, ctx, paths.blob_data(digest))

    def publish(self, ctx: Context, staged: FileWriter, descriptor: Descriptor) -> None:
        """Make what was staged and verified the blob's data, unless the driver has it: others may be reading that."""
        if self._has(ctx, descriptor):
            staged.cancel()
        else:
            self._published(ctx, descriptor, staged.commit)

    def adopt(self, ctx: Context, path: str, descriptor: Descriptor) -> None:
        """Make the verified file at `path` the blob's data, unless the driver has it."""
        if not self._has(ctx, descriptor):
            self._published(ctx, descriptor, lambda: self._driver.move(ctx, path, paths.blob_data(descriptor.digest)))

    def _published(self, ctx: Context, descriptor: Descriptor, publish: Callable[[], None]) -> None:
        """Publish. Of two that do so at once one may fail, where a store drops the parts that the other has sent."""
        try:
            publish()
        except PathNotFound:  # there is nothing to publish any more
            raise
        except DriverError:
            if not self._has(ctx, descriptor):
                raise
        self._presence.found(descriptor.digest)

    def keep(self, ctx: Context, digest: Digest) -> None:
        """Have a garbage collection beside this keep the blob, which has got a link. Raises Unavailable if too late."""
        if self._collection.keep(ctx, (digest,)):
            try:
                self.stat(ctx, digest)
            except BlobUnknown:
                raise too_late(digest) from None

    def rely_on(self, ctx: Context, digests: Collection[Digest]) -> bool:
        """Have it keep digests of any algorithm, of blobs or manifests; True where they are to be looked for again."""
        return self._collection.keep(ctx, digests)

    def _look_up(self, ctx: Context, digest: Digest) -> FileInfo | None:
        try:
            info = self._driver.stat(ctx, paths.blob_data(digest))
        except PathNotFound:
            self._presence.missed(digest)
            return None
        if info.is_directory:
            ctx.warning("a directory stands where a blob's data should", **{"blob.digest": digest})
            return None
        self._presence.found(digest)
        return info

    def _has(self, ctx: Context, descriptor: Descriptor) -> bool:
        # A registry that writes in place may have left a part of the blob; size tells.
        info = self._look_up(ctx, descriptor.digest)
        return info is not None and info.size == descriptor.size
