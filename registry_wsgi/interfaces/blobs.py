"""The blobs of a repository: read, received, linked, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from registry_wsgi.interfaces.descriptors import BlobStatter

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.descriptor import Descriptor, Digest
    from registry_wsgi.interfaces.drivers import FileReader


class BlobProvider(Protocol):
    def get(self, ctx: Context, digest: Digest) -> bytes:
        """Return a small blob whole, bounded by the size limit of manifests. Raises BlobUnknown."""

    def open(self, ctx: Context, digest: Digest) -> tuple[Descriptor, FileReader]:
        """Return the descriptor and a stream of the blob, after one look-up. Raises BlobUnknown."""


class BlobWriter(Protocol):
    """An upload in progress. Its state is in storage: any process may resume it by its `id`."""

    id: str
    size: int

    def prepare(self, ctx: Context, algorithm: str = ...) -> None:
        """Hold the upload and learn its size and its digests so far; `write` needs it.

        `algorithm` is the one of the digest that it is expected to be committed with.
        """

    def write(self, content: bytes | memoryview, /) -> int: ...
    def commit(self, ctx: Context, provisional: Digest) -> Descriptor:
        """Verify against the client's digest, publish, link, and return the canonical descriptor.

        Raises DigestInvalid where the content is another; the upload is then still there.
        """

    def cancel(self, ctx: Context) -> None: ...
    def close(self, ctx: Context) -> None:
        """Keep what was written for a later `resume`; idempotent."""


class BlobRedirector(Protocol):
    def url(self, ctx: Context, descriptor: Descriptor, method: str) -> str:
        """Return where a client gets a blob itself by GET or HEAD, empty where it has to come through the registry."""


class BlobIngester(Protocol):
    def create(self, ctx: Context) -> BlobWriter: ...
    def direct(self, ctx: Context, digest: Digest, instead_of: BlobWriter | None = None) -> BlobWriter | None:
        """Return a writer straight to where the blob of `digest` will be, for content that comes in one request.

        It cannot be resumed. `instead_of` is an empty upload that ends with it. None where the driver cannot do
        that, or where the canonical digest is not known yet.
        """

    def resume(self, ctx: Context, upload_id: str) -> BlobWriter:
        """Raises BlobUploadUnknown, or TooManyRequests while another request writes the upload."""

    def link_again(self, ctx: Context, upload_id: str, digest: Digest) -> Descriptor:
        """Finish a commit of the upload that had made it a blob, and could not link it. Raises BlobUploadUnknown."""

    def upload_size(self, ctx: Context, upload_id: str) -> int:
        """Return the bytes received so far, also while another request writes. Raises BlobUploadUnknown."""

    def mount(self, ctx: Context, digest: Digest, source: BlobStore) -> Descriptor:
        """Link a blob that another repository has. Raises BlobUnknown where it has not."""


class BlobDeleter(Protocol):
    def delete(self, ctx: Context, digest: Digest) -> None:
        """Remove the link. Raises Unsupported where deletion is off, BlobUnknown."""


class BlobStore(BlobStatter, BlobProvider, BlobRedirector, BlobIngester, BlobDeleter, Protocol):
    def confirm(self, ctx: Context, digest: Digest) -> Descriptor:
        """Return what storage itself says, whatever is remembered: before something is written that stands on it.

        Raises BlobUnknown where the repository has not the link and the blob.
        """
