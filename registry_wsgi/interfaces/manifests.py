"""Manifests and the signatures of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from registry_wsgi.context import Context
    from registry_wsgi.descriptor import Descriptor, Digest
    from registry_wsgi.reference import Tag


@dataclass(frozen=True, slots=True)
class Manifest:
    """A parsed manifest: the exact bytes that its digest is of, its type and what it refers to.

    Of schema 1 the payload is not what is sent: `signed` is, with the `signatures` in it; see `content`.
    """

    media_type: str
    payload: bytes
    references: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    signatures: tuple[bytes, ...] = ()
    signed: bytes = b""

    @property
    def content(self) -> bytes:
        """What a client gets."""
        return self.signed or self.payload


class ManifestService(Protocol):
    def get(self, ctx: Context, digest: Digest) -> tuple[Descriptor, Manifest]:
        """Return a stored manifest. Raises ManifestUnknown."""

    def exists(self, ctx: Context, digest: Digest) -> bool: ...
    def put(self, ctx: Context, manifest: Manifest, digest: Digest | None = None) -> Descriptor:
        """Verify that all it refers to is in the repository, store and link it; return the canonical descriptor.

        `digest` is the client's, if it named one. Raises DigestInvalid, or RegistryErrors with one
        ManifestBlobUnknown for each missing digest.
        """

    def as_schema1(
        self, ctx: Context, manifest: Manifest, tag: Tag, *, read_only: bool = False
    ) -> tuple[Descriptor, Manifest]:
        """Return a Docker schema 2 manifest as one of schema 1, for a client that knows no other; it is not stored.

        Raises ManifestUnknown where schema 1 is off, ManifestInvalid where the image cannot be written so.
        """

    def delete(self, ctx: Context, digest: Digest) -> Sequence[Tag]:
        """Remove the revision and return the tags that pointed at it, removed too.

        Raises Unsupported, ManifestUnknown.
        """


class ManifestSigner(Protocol):
    """Who verifies the signatures of schema 1 manifests that are pushed, and signs those that have none."""

    def verify(self, manifest: Manifest) -> None:
        """Raises ManifestUnverified."""

    def sign(self, payload: bytes) -> bytes:
        """Return a signature as it is stored: one JWS object in compact JSON."""


@dataclass(frozen=True, slots=True)
class SignatureArtifact:
    """A manifest that signs another one, and whose tool can verify it."""

    kind: Literal["cosign", "notation"]
    descriptor: Descriptor


class SignatureService(Protocol):
    """What signs the manifests of a repository; nothing is verified here."""

    def get(self, ctx: Context, digest: Digest) -> list[bytes]:
        """Return the signatures of a schema 1 manifest, each one JWS object, ordered by digest; empty without any."""

    def put(self, ctx: Context, digest: Digest, *signatures: bytes) -> None:
        """Add signatures to those that the manifest has."""

    def attached(self, ctx: Context, digest: Digest) -> Sequence[SignatureArtifact]:
        """Return the signature artifacts of a manifest: cosign's and Notation's."""
