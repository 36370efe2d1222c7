"""Signatures that are artifacts of their own: those of Sigstore's cosign, and of Notation (Notary Project).

They are found as referrers of what they sign, and cosign's older ones under the tag `sha256-<hex>.sig`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from registry_wsgi.errors import ManifestUnknown
from registry_wsgi.interfaces import SignatureArtifact
from registry_wsgi.reference import Tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry_wsgi.context import Context
    from registry_wsgi.descriptor import Descriptor, Digest
    from registry_wsgi.interfaces import Repository

NOTATION = "application/vnd.cncf.notary.signature"
"""Notary Project Signature Specification, "OCI signatures"."""
COSIGN = "application/vnd.dev.cosign.artifact.sig.v1+json"
"""cosign 2 with `--registry-referrers-mode=oci-1-1`."""
BUNDLE = "application/vnd.dev.sigstore.bundle"
"""Sigstore bundles of any version, cosign 3's own form; they hold attestations, too."""
BUNDLE_PREDICATE = "dev.sigstore.bundle.predicateType"
SIGNATURE_PREDICATE = "https://sigstore.dev/cosign/sign/v1"


def signature_artifacts(ctx: Context, repository: Repository, digest: Digest) -> Sequence[SignatureArtifact]:
    """Return the signatures of a manifest, those found as referrers first, each once."""
    found = [
        SignatureArtifact(kind, descriptor)
        for descriptor in repository.referrers(ctx, digest)
        if (kind := _kind(descriptor)) is not None
    ]
    tagged = _tagged(ctx, repository, digest)
    if tagged is not None and all(tagged.digest != each.descriptor.digest for each in found):
        found.append(SignatureArtifact("cosign", tagged))
    return found


def _kind(descriptor: Descriptor) -> Literal["cosign", "notation"] | None:
    artifact_type = str(descriptor.extra.get("artifactType", ""))
    if artifact_type == NOTATION:
        return "notation"
    if artifact_type == COSIGN:
        return "cosign"
    if artifact_type.startswith(BUNDLE):
        predicate = descriptor.extra.get("annotations", {}).get(BUNDLE_PREDICATE, SIGNATURE_PREDICATE)
        return "cosign" if predicate == SIGNATURE_PREDICATE else None
    return None


def _tagged(ctx: Context, repository: Repository, digest: Digest) -> Descriptor | None:
    try:
        target = repository.tags.get(ctx, Tag.parse(f"{digest.algorithm}-{digest.hex}.sig"[:128]))
        return repository.manifests.get(ctx, target)[0]
    except ManifestUnknown:
        return None
