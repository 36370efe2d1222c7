"""What a repository does with manifests of schema 1, beyond what it does with all manifests.

Their signatures are stored apart and put in again when they are served. A manifest without any (releases since 2.5
store none) is signed with the registry's own key if it has one, and otherwise served as it is: unsigned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi import mediatypes
from registry_wsgi.context import Event
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import BlobUnknown, ManifestInvalid, ManifestUnknown, PathNotFound, RegistryError
from registry_wsgi.manifests import conversion, schema1

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import Manifest, ManifestSigner, SignatureService
    from registry_wsgi.reference import Tag
    from registry_wsgi.storage.linked import LinkedBlobStore

OFF = "schema 1 is off: compatibility.schema1.enabled is not true"


class Schema1Manifests:
    """The schema 1 manifests of the repository `name`; without a `signer` they can only be read."""

    def __init__(
        self, name: str, layers: LinkedBlobStore, signatures: SignatureService, signer: ManifestSigner | None
    ) -> None:
        self._name = name
        self._layers = layers
        self._signatures = signatures
        self._signer = signer

    def check(self, manifest: Manifest) -> None:
        """Raise ManifestInvalid or ManifestUnverified where a manifest may not be pushed to this repository."""
        if self._signer is None:
            raise ManifestInvalid(OFF)
        if (name := schema1.name(manifest)) != self._name:
            raise ManifestInvalid(f"the manifest is of the repository {name!r}, and not of {self._name}")
        self._signer.verify(manifest)

    def keep(self, ctx: Context, digest: Digest, manifest: Manifest) -> None:
        """Store the signatures: before the manifest is linked, so that whoever finds it finds them."""
        self._signatures.put(ctx, digest, *manifest.signatures)

    def signed(self, ctx: Context, digest: Digest, manifest: Manifest) -> Manifest:
        """Return the stored manifest with its signatures, or with the registry's own, or without any."""
        try:
            stored = self._signatures.get(ctx, digest)
        except (BlobUnknown, PathNotFound):
            # docker-registry's garbage collector deletes the blobs of signatures since 2.5, and leaves the links.
            ctx.warning("signatures are linked and not stored: serving without them", **{"manifest.digest": digest})
            stored = []
        if stored:
            try:
                return schema1.sign(manifest, stored)
            except ValueError as error:
                raise RegistryError(f"a stored signature of {digest} is damaged: {error}") from None
        return manifest if self._signer is None else self._sign(self._signer, manifest)

    def converted(
        self, ctx: Context, manifest: Manifest, tag: Tag, *, read_only: bool = False
    ) -> tuple[Descriptor, Manifest]:
        """Return a schema 2 manifest as a signed one of schema 1, which is not stored.

        Layers that schema 2 leaves out are one empty layer, which is stored unless `read_only`. Raises
        ManifestUnknown where schema 1 is off, ManifestInvalid where the image cannot be written so.
        """
        if self._signer is None:
            raise ManifestUnknown(f"the client accepts no schema 2, and {OFF}")
        config = manifest.references[0].digest
        try:
            content = self._layers.get(ctx, config)
        except BlobUnknown:
            raise ManifestInvalid(f"the image's configuration {config} is not in the repository") from None
        ctx.events.append(Event("pull", self._name, Descriptor(digest=config, size=len(content))))
        payload = conversion.to_schema1(manifest, content, self._name, tag)
        self._provide_empty_layer(ctx, payload, read_only=read_only)
        signed = self._sign(self._signer, payload)
        digest = Digest.of(signed.payload)
        return Descriptor(digest=digest, size=len(signed.content), media_type=signed.media_type), signed

    def _provide_empty_layer(self, ctx: Context, manifest: Manifest, *, read_only: bool) -> None:
        needed = any(layer.digest == conversion.EMPTY_LAYER_DIGEST for layer in manifest.references)
        if not needed or self._layers.linked(ctx, conversion.EMPTY_LAYER_DIGEST):
            return
        if read_only:
            raise ManifestUnknown(
                "the client accepts no schema 2, and the registry is read-only: it can store no layer"
            )
        descriptor = self._layers.put(ctx, mediatypes.OCTET_STREAM, conversion.EMPTY_LAYER)
        ctx.events.append(Event("push", self._name, descriptor))

    @staticmethod
    def _sign(signer: ManifestSigner, manifest: Manifest) -> Manifest:
        return schema1.sign(manifest, [signer.sign(manifest.payload)])
