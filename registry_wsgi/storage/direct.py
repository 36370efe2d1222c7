"""Uploads of content whose digest is known before it arrives: straight to where the blob will be, and never moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.descriptor import CANONICAL_ALGORITHM, Descriptor, Digest
from registry_wsgi.errors import DigestInvalid
from registry_wsgi.storage.hashing import RunningDigest

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import BlobWriter, FileWriter
    from registry_wsgi.storage.blobs import GlobalBlobStore
    from registry_wsgi.storage.uploads import Linker


class DirectUpload:
    """A BlobWriter over a staged file; nobody can resume it.

    `instead_of` is the upload that a client began and wrote nothing to: it ends with this one.
    """

    def __init__(
        self, staged: FileWriter, blobs: GlobalBlobStore, linker: Linker, instead_of: BlobWriter | None = None
    ) -> None:
        self.id = instead_of.id if instead_of is not None else ""
        self.size = 0
        self._staged = staged
        self._blobs = blobs
        self._linker = linker
        self._instead_of = instead_of
        self._digest = RunningDigest()

    def prepare(self, ctx: Context, algorithm: str = CANONICAL_ALGORITHM) -> None:
        """Do nothing: the digest is of the canonical algorithm."""

    def write(self, content: bytes | memoryview) -> int:
        written = self._staged.write(content)
        self._digest.update(content)
        self.size += written
        return written

    def commit(self, ctx: Context, provisional: Digest) -> Descriptor:
        actual = self._digest.digest()
        if actual != provisional:
            raise DigestInvalid(f"the content's digest is {actual}, and not {provisional} as was claimed")
        descriptor = Descriptor(digest=actual, size=self.size)
        self._blobs.publish(ctx, self._staged, descriptor)
        self._linker.link(ctx, descriptor, actual)
        if self._instead_of is not None:
            self._instead_of.cancel(ctx)
        return descriptor

    def cancel(self, ctx: Context) -> None:
        self._staged.cancel()
        if self._instead_of is not None:
            self._instead_of.cancel(ctx)

    def close(self, ctx: Context) -> None:
        self._staged.close()
        if self._instead_of is not None:
            self._instead_of.close(ctx)
