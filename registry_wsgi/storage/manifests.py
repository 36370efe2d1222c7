"""The manifests of one repository: blobs that are linked as revisions and whose references are checked."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from registry_wsgi import mediatypes
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import (
    BlobUnknown,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestTooLarge,
    ManifestUnknown,
    RegistryErrors,
    Unsupported,
)
from registry_wsgi.manifests import recognise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import Manifest
    from registry_wsgi.reference import Tag
    from registry_wsgi.storage.linked import LinkedBlobStore
    from registry_wsgi.storage.referrers import ReferrerStore
    from registry_wsgi.storage.schema1 import Schema1Manifests
    from registry_wsgi.storage.tags import TagStore
    from registry_wsgi.storage.validation import ManifestValidation


class ManifestStore:
    """A ManifestService over the revisions and the layers of a repository."""

    def __init__(
        self,
        revisions: LinkedBlobStore,
        layers: LinkedBlobStore,
        tags: TagStore,
        referrers: ReferrerStore,
        schema1: Schema1Manifests,
        *,
        validation: ManifestValidation,
        delete_enabled: bool,
    ) -> None:
        self._revisions = revisions
        self._layers = layers
        self._tags = tags
        self._referrers = referrers
        self._schema1 = schema1
        self._validation = validation
        self._delete_enabled = delete_enabled

    def get(self, ctx: Context, digest: Digest) -> tuple[Descriptor, Manifest]:
        manifest = self._stored(ctx, digest)
        if manifest.media_type in mediatypes.SCHEMA1_MANIFESTS:
            manifest = self._schema1.signed(ctx, Digest.of(manifest.payload), manifest)
        return Descriptor(digest=digest, size=len(manifest.content), media_type=manifest.media_type), manifest

    def _stored(self, ctx: Context, digest: Digest) -> Manifest:
        # The second link path of revisions is that of layers: what is found there may be a layer,
        # of any size and content, and that is no manifest.
        try:
            return recognise(self._revisions.get(ctx, digest))
        except (BlobUnknown, ManifestInvalid, ManifestTooLarge):
            raise ManifestUnknown(f"unknown manifest {digest}") from None

    def exists(self, ctx: Context, digest: Digest) -> bool:
        try:
            self._stored(ctx, digest)
        except ManifestUnknown:
            return False
        return True

    def put(self, ctx: Context, manifest: Manifest, digest: Digest | None = None) -> Descriptor:
        claimed = digest or Digest.of(manifest.payload)
        self._verify_digest(manifest, claimed)
        if manifest.media_type in mediatypes.SCHEMA1_MANIFESTS:
            self._schema1.check(manifest)
        self._verify_references(ctx, manifest)
        self._rely_on_references(ctx, manifest)
        if manifest.signatures:
            self._schema1.keep(ctx, Digest.of(manifest.payload), manifest)
        if manifest.subject is not None:
            self._referrers.add(ctx, manifest.subject.digest, Digest.of(manifest.payload))
        stored = self._revisions.put(ctx, manifest.media_type, manifest.payload, claimed)
        self._rely_on_references(ctx, manifest)  # and of a collection that has begun meanwhile
        return stored

    def as_schema1(
        self, ctx: Context, manifest: Manifest, tag: Tag, *, read_only: bool = False
    ) -> tuple[Descriptor, Manifest]:
        return self._schema1.converted(ctx, manifest, tag, read_only=read_only)

    def delete(self, ctx: Context, digest: Digest) -> Sequence[Tag]:
        if not self._delete_enabled:
            raise Unsupported("deletion is off: storage.delete.enabled is not true")
        manifest = self._stored(ctx, digest)
        canonical = Digest.of(manifest.payload)
        # Tags first: should the process die in between, the delete can be asked for again.
        untagged = self._tags.delete_pointing_at(ctx, canonical)
        try:
            self._revisions.delete(ctx, digest)
        except BlobUnknown:
            raise ManifestUnknown(f"unknown manifest {digest}") from None
        # And once more, for tags that a push has put meanwhile: it had found the manifest still there.
        untagged = [*untagged, *self._tags.delete_pointing_at(ctx, canonical)]
        if manifest.subject is not None:
            self._referrers.remove(ctx, manifest.subject.digest, canonical)
        return untagged

    @staticmethod
    def _verify_digest(manifest: Manifest, claimed: Digest) -> None:
        actual = f"{claimed.algorithm}:{hashlib.new(claimed.algorithm, manifest.payload).hexdigest()}"
        if actual != claimed:
            raise DigestInvalid(f"the manifest's digest is {actual}, and not {claimed} as was claimed")

    def _rely_on_references(self, ctx: Context, manifest: Manifest) -> None:
        """Have a garbage collection beside this keep all that was verified, or verify it again."""
        digests = {reference.digest for reference in manifest.references}
        if manifest.subject is not None:
            digests.add(manifest.subject.digest)
        if self._layers.rely_on(ctx, digests):
            self._verify_references(ctx, manifest)

    def _verify_references(self, ctx: Context, manifest: Manifest) -> None:
        """Raise RegistryErrors with one error for each reference that the repository must have and does not."""
        if manifest.media_type in mediatypes.INDEXES:
            required, known = self._validation.requires_manifest, self.exists
        else:
            required, known = self._validation.requires_blob, self._layers.linked
        # Each digest once: 4 MiB have room for 35 000 references, and a look-up may read a manifest of 4 MiB itself.
        digests = dict.fromkeys(reference.digest for reference in manifest.references if required(reference))
        missing = [digest for digest in digests if not known(ctx, digest)]
        if missing:
            raise RegistryErrors(ManifestBlobUnknown(str(digest)) for digest in missing)
