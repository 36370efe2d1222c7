"""The manifests that refer to another one as their subject (OCI Distribution Spec 1.1, "Listing Referrers").

A link is kept for each under `_manifests/referrers/<subject>`, where other registries on the same tree
do not look. It is written before the manifest's own link and deleted after it, and a listing shows only
manifests that are there: so none is ever missing, and none is shown that is gone.

Clients of registries without this keep an index under a tag made of the subject's digest, the
"referrers tag schema"; what such an index lists is listed here, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from registry_wsgi import mediatypes
from registry_wsgi.descriptor import CANONICAL_ALGORITHM, Descriptor, Digest
from registry_wsgi.errors import DigestInvalid, ManifestUnknown, PathNotFound
from registry_wsgi.reference import Tag
from registry_wsgi.storage import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import Manifest, StorageDriver, TagService


class ManifestReader(Protocol):
    """Where the referrers themselves are read."""

    def get(self, ctx: Context, digest: Digest) -> tuple[Descriptor, Manifest]: ...


class ReferrerStore:
    """A ReferrerService over links and the tags of the referrers tag schema."""

    def __init__(self, driver: StorageDriver, name: str, tags: TagService) -> None:
        self._driver = driver
        self._name = name
        self._tags = tags

    def add(self, ctx: Context, subject: Digest, referrer: Digest) -> None:
        self._driver.put_content(ctx, paths.referrer_link(self._name, subject, referrer), referrer.encode())

    def remove(self, ctx: Context, subject: Digest, referrer: Digest) -> None:
        try:
            self._driver.delete(ctx, paths.referrer(self._name, subject, referrer))
        except PathNotFound:
            return

    def list(self, ctx: Context, subject: Digest, manifests: ManifestReader, last: str = "") -> Iterator[Descriptor]:
        """Yield the descriptors of the referrers after the digest `last`, ordered by digest.

        They carry `artifactType` and `annotations` as the specification asks; a manifest is read when it is asked for.
        """
        for digest in sorted(self._linked(ctx, subject) | self._listed(ctx, subject, manifests)):
            if digest <= last:
                continue
            try:
                _, manifest = manifests.get(ctx, digest)
            except ManifestUnknown:
                continue
            if manifest.subject is not None and manifest.subject.digest == subject:
                yield _described(digest, manifest)

    def _linked(self, ctx: Context, subject: Digest) -> set[Digest]:
        try:
            children = self._driver.list(ctx, paths.referrers(self._name, subject))
        except PathNotFound:
            return set()
        return {Digest(f"{CANONICAL_ALGORITHM}:{child.rpartition('/')[2]}") for child in children}

    def _listed(self, ctx: Context, subject: Digest, manifests: ManifestReader) -> set[Digest]:
        """Return what the index under the subject's tag lists; whether it has this subject is still to be seen."""
        try:
            _, index = manifests.get(ctx, self._tags.get(ctx, fallback_tag(subject)))
        except (ManifestUnknown, DigestInvalid):
            return set()
        return {entry.digest for entry in index.references} if index.media_type in mediatypes.INDEXES else set()


def fallback_tag(subject: Digest) -> Tag:
    """Return the tag of the referrers tag schema: the algorithm, and up to 64 digits of the digest."""
    return Tag.parse(f"{subject.algorithm}-{subject.hex[:64]}")


def _described(digest: Digest, manifest: Manifest) -> Descriptor:
    extra: dict[str, object] = {}
    if manifest.artifact_type:
        extra["artifactType"] = manifest.artifact_type
    if manifest.annotations:
        extra["annotations"] = dict(manifest.annotations)
    return Descriptor(digest=digest, size=len(manifest.payload), media_type=manifest.media_type, extra=extra)
