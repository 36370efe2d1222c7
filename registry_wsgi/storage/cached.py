"""A descriptor service in front of another: what was found is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.errors import BlobUnknown
from registry_wsgi.storage.tolerance import tolerated

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.descriptor import Descriptor, Digest
    from registry_wsgi.interfaces import BlobAccessController, BlobDescriptorService
    from registry_wsgi.storage.blobs import GlobalBlobStore


class CachedBlobStatter:
    """A BlobAccessController that asks `cache` first and `backend` on a miss or any failure of the cache.

    A hit is believed only while the backend still has the link: caches of other processes
    are not told of a delete, and a descriptor may be remembered by a look-up that a delete overtook.
    It is believed only while `blobs` has the data, too, see presence.py.
    So a hit costs one stat of the link and less of the blob, instead of reading the one and a stat of the other.
    """

    def __init__(self, cache: BlobDescriptorService, backend: BlobAccessController, blobs: GlobalBlobStore) -> None:
        self._cache = cache
        self._backend = backend
        self._blobs = blobs

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        descriptor = self._hit(ctx, digest)
        if descriptor is None:
            return self._missed(ctx, digest)
        if not self._blobs.stands(ctx, descriptor.digest):
            self._forget(ctx, digest)
            raise BlobUnknown(digest)
        return descriptor

    def known(self, ctx: Context, digest: Digest) -> Descriptor:
        return self._hit(ctx, digest) or self._missed(ctx, digest)

    def _hit(self, ctx: Context, digest: Digest) -> Descriptor | None:
        """Return what is remembered of a blob whose link stands. Raises BlobUnknown where it does not."""
        descriptor = self._remembered(ctx, digest)
        if descriptor is not None and not self._backend.linked(ctx, digest):
            self._forget(ctx, digest)
            raise BlobUnknown(digest)
        return descriptor

    def _missed(self, ctx: Context, digest: Digest) -> Descriptor:
        descriptor = self._backend.stat(ctx, digest)
        self._remember(ctx, digest, descriptor)
        return descriptor

    def linked(self, ctx: Context, digest: Digest) -> bool:
        return self._backend.linked(ctx, digest)

    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        self._backend.set_descriptor(ctx, digest, descriptor)
        self._remember(ctx, digest, descriptor)

    def clear(self, ctx: Context, digest: Digest) -> None:
        """Forget, unlink, and forget again what another thread remembered in between. Raises BlobUnknown."""
        self._forget(ctx, digest)
        try:
            self._backend.clear(ctx, digest)
        finally:
            self._forget(ctx, digest)

    def _remembered(self, ctx: Context, digest: Digest) -> Descriptor | None:
        with tolerated(ctx, "the descriptor cache failed to look up a blob"):
            return self._cache.stat(ctx, digest)
        return None

    def _remember(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        with tolerated(ctx, "the descriptor cache failed to remember a blob"):
            self._cache.set_descriptor(ctx, digest, descriptor)

    def _forget(self, ctx: Context, digest: Digest) -> None:
        with tolerated(ctx, "the descriptor cache failed to forget a blob"):
            self._cache.clear(ctx, digest)
