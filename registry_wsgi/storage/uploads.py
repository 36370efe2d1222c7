"""Uploads: bytes that arrive in any number of requests, in any process, until a digest proves them whole.

All state is in storage: the data, and beside it the digest so far (see hashing.py). A driver's
writer is exclusive, so of two requests that write the same upload one is told to come again.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Protocol

from registry_wsgi.descriptor import CANONICAL_ALGORITHM, Descriptor, Digest
from registry_wsgi.drivers.abilities import commit, staged
from registry_wsgi.errors import BlobUnknown, BlobUploadUnknown, DigestInvalid, PathBusy, PathNotFound, TooManyRequests
from registry_wsgi.reference import is_upload_id
from registry_wsgi.storage import paths
from registry_wsgi.storage.hashing import RunningDigest, recorded_digests, recorded_offset

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import FileWriter, StorageDriver
    from registry_wsgi.storage.blobs import GlobalBlobStore

_BLOCK = 1024 * 1024


class Linker(Protocol):
    """Where a finished upload becomes one of a repository's blobs."""

    def link(self, ctx: Context, descriptor: Descriptor, alias: Digest) -> None: ...


class Uploads:
    """The uploads of one repository."""

    def __init__(self, driver: StorageDriver, blobs: GlobalBlobStore, name: str) -> None:
        self.driver = driver
        self.blobs = blobs
        self.name = name

    def create(self, ctx: Context, linker: Linker) -> BlobUpload:
        """Start an upload. Its data file comes last, so that what has data has a start, too."""
        upload_id = str(uuid.uuid4())
        started_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.driver.put_content(ctx, paths.upload_started_at(self.name, upload_id), started_at.encode(), durable=False)
        self.driver.put_content(ctx, paths.upload_data(self.name, upload_id), b"", durable=False)
        return BlobUpload(self, linker, upload_id)

    def resume(self, ctx: Context, linker: Linker, upload_id: str) -> BlobUpload:
        """Take an upload up again, its writer held. Raises BlobUploadUnknown, TooManyRequests."""
        upload = BlobUpload(self, linker, self._checked(upload_id))
        upload.hold(ctx)
        return upload

    def link_again(self, ctx: Context, linker: Linker, upload_id: str, provisional: Digest) -> Descriptor:
        """Link the blob that an upload's data has become already, and remove the upload.

        A commit that could not write the link, or was killed before it, has left it so. The record of the digests
        proves that the content was the upload's. Raises BlobUploadUnknown.
        """
        upload = BlobUpload(self, linker, self._checked(upload_id))
        size, digests = recorded_offset(upload.record(ctx))
        if digests.get(provisional.algorithm) != provisional:
            raise BlobUploadUnknown(upload_id)
        try:
            descriptor = self.blobs.stat(ctx, digests[CANONICAL_ALGORITHM])
        except BlobUnknown:
            raise BlobUploadUnknown(upload_id) from None
        if descriptor.size != size:
            raise BlobUploadUnknown(upload_id)
        upload.link(ctx, descriptor, provisional)
        return descriptor

    def size(self, ctx: Context, upload_id: str) -> int:
        try:
            return staged(self.driver, ctx, paths.upload_data(self.name, self._checked(upload_id))).size
        except PathNotFound:
            raise BlobUploadUnknown(upload_id) from None

    @staticmethod
    def _checked(upload_id: str) -> str:
        if not is_upload_id(upload_id):
            raise BlobUploadUnknown(upload_id[:160])
        return upload_id


class BlobUpload:
    """A BlobWriter over one upload directory."""

    def __init__(self, uploads: Uploads, linker: Linker, upload_id: str) -> None:
        self.id = upload_id
        self.size = 0
        self._driver = uploads.driver
        self._blobs = uploads.blobs
        self._linker = linker
        self._directory = paths.upload(uploads.name, upload_id)
        self._data = paths.upload_data(uploads.name, upload_id)
        self._progress = paths.upload_progress(uploads.name, upload_id)
        self._writer: FileWriter | None = None
        self._digest: RunningDigest | None = None

    def hold(self, ctx: Context) -> FileWriter:
        """Open the writer, if it is not open, and learn the size. Raises BlobUploadUnknown, TooManyRequests."""
        if self._writer is None:
            try:
                self._writer = self._driver.writer(ctx, self._data, append=True)
            except PathNotFound:
                raise BlobUploadUnknown(self.id) from None
            except PathBusy:
                detail = f"another request is writing the upload {self.id}"
                raise TooManyRequests(detail, headers={"Retry-After": "1"}) from None
            self.size = self._writer.size
        return self._writer

    def prepare(self, ctx: Context, algorithm: str = CANONICAL_ALGORITHM) -> None:
        """Get ready to write: hold the writer and take up the digests where the last request left them.

        `algorithm` is the one of the digest that the upload is expected to be committed with.
        """
        self.hold(ctx)
        if self._digest is None:
            self._digest = self._restored(ctx, algorithm)

    def write(self, content: bytes | memoryview) -> int:
        """Append; `prepare` must have been called."""
        if self._writer is None or self._digest is None:
            raise ValueError("the upload was not prepared for writing")
        # Writing comes first: a digest that is ahead of the data could be taken for that of other data later.
        written = self._writer.write(content)
        self._digest.update(content)
        self.size += written
        return written

    def commit(self, ctx: Context, provisional: Digest) -> Descriptor:
        self.hold(ctx)
        canonical, actual = self._digests(ctx, provisional.algorithm)
        if actual != provisional:
            raise DigestInvalid(f"the content's digest is {actual}, and not {provisional} as was claimed")
        descriptor = Descriptor(digest=canonical, size=self.size)
        try:
            # What a record tells of was flushed before it.
            commit(self.hold(ctx), flushed=self._digest is None)
            self._blobs.adopt(ctx, self._data, descriptor)
        except PathNotFound:
            raise BlobUploadUnknown(self.id) from None
        finally:
            self._let_go()
        self.link(ctx, descriptor, provisional)
        return descriptor

    def link(self, ctx: Context, descriptor: Descriptor, alias: Digest) -> None:
        """Make the blob one of the repository's; the upload has done its work."""
        self._linker.link(ctx, descriptor, alias)
        self._remove(ctx)

    def cancel(self, ctx: Context) -> None:
        """Delete the upload and all that was received. Raises TooManyRequests while another request writes it."""
        try:
            self.hold(ctx).cancel()
            self._remove(ctx)
        except PathNotFound:
            raise BlobUploadUnknown(self.id) from None
        finally:
            self._let_go()

    def close(self, ctx: Context) -> None:
        """Let go of the upload. The digest is recorded while the data it speaks of is held and durable."""
        if self._writer is None:
            return
        try:
            if self._digest is not None:
                self._writer.flush()
                self._driver.put_content(ctx, self._progress, self._digest.record(), durable=False)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _digests(self, ctx: Context, algorithm: str) -> tuple[Digest, Digest]:
        """Return the canonical digest of all the data and that of `algorithm`, from the record if it has both."""
        if self._digest is None:
            recorded = recorded_digests(self.record(ctx), self.size)
            if recorded.keys() >= {CANONICAL_ALGORITHM, algorithm}:
                return recorded[CANONICAL_ALGORITHM], recorded[algorithm]
        if self._digest is None or algorithm not in self._digest.algorithms:
            self._digest = self._reread(ctx, algorithm)
        return self._digest.digest(), self._digest.digest(algorithm)

    def _restored(self, ctx: Context, algorithm: str) -> RunningDigest:
        if self.size == 0:
            return RunningDigest((algorithm,))
        restored = RunningDigest.restore(self.record(ctx), self.size, (algorithm,))
        return restored if restored is not None else self._reread(ctx, algorithm)

    def record(self, ctx: Context) -> bytes:
        try:
            return self._driver.get_content(ctx, self._progress)
        except PathNotFound:
            return b""

    def _reread(self, ctx: Context, algorithm: str) -> RunningDigest:
        """Return the digests of the data as it is in storage. Some drivers show it only where it is committed."""
        self.hold(ctx).commit()
        self._let_go()
        running = self._read(ctx, algorithm)
        self.hold(ctx)
        return running

    def _read(self, ctx: Context, algorithm: str) -> RunningDigest:
        running = RunningDigest((algorithm,))
        reader = self._driver.reader(ctx, self._data)
        try:
            while block := reader.read(_BLOCK):
                running.update(block)
        finally:
            reader.close()
        return running

    def _remove(self, ctx: Context) -> None:
        try:
            self._driver.delete(ctx, self._directory)
        except PathNotFound:
            return
