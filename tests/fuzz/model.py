"""What a registry has, as dictionaries: the whole truth that random sequences of requests are compared with."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from registry_wsgi import mediatypes
from tests import storages
from tests.conformance.target import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ALIAS = "sha512"


@dataclass(frozen=True)
class Manifest:
    """A manifest as it was pushed."""

    payload: bytes

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.payload)
        return document

    @property
    def digest(self) -> str:
        return digest_of(self.payload)

    @property
    def media_type(self) -> str:
        return str(self.document["mediaType"])

    @property
    def subject(self) -> str:
        return str(self.document.get("subject", {}).get("digest", ""))

    @property
    def artifact_type(self) -> str:
        document = self.document
        return str(document.get("artifactType") or document.get("config", {}).get("mediaType", ""))

    def as_referrer(self) -> dict[str, Any]:
        entry = {"mediaType": self.media_type, "size": len(self.payload), "digest": self.digest}
        if self.artifact_type:
            entry["artifactType"] = self.artifact_type
        return entry


@dataclass
class Repository:
    """Blobs and manifests by sha256; the sha512 names that lead to them; tags; and open uploads by Location."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    blob_aliases: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    manifest_aliases: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    began: bool = False
    """Whether anything was ever stored."""

    @property
    def known(self) -> bool:
        """Whether there is the repository: one that was emptied still is, but in a store, which has no directories."""
        links = (self.blobs, self.blob_aliases, self.manifests, self.manifest_aliases)
        return any(links) if storages.is_chosen() else self.began

    def blob(self, digest: str) -> bytes | None:
        return self.blobs.get(self.blob_aliases.get(digest, digest))

    def manifest(self, reference: str) -> Manifest | None:
        digest = self.tags.get(reference, reference)
        return self.manifests.get(self.manifest_aliases.get(digest, digest))

    def add_blob(self, content: bytes, digest: str) -> None:
        canonical = digest_of(content)
        self.blobs[canonical] = content
        if digest != canonical:
            self.blob_aliases[digest] = canonical
        self.began = True

    def delete_blob(self, digest: str) -> bool:
        """Delete a blob by one of its names: it is gone by all of them."""
        content = self.blob(digest)
        if content is None:
            return False
        del self.blobs[digest_of(content)]
        self.blob_aliases.pop(digest, None)
        return True

    def lacks(self, manifest: Manifest) -> set[str]:
        """Return what a manifest needs and the repository has not."""
        if manifest.media_type == mediatypes.OCI_INDEX:
            needed = {entry["digest"] for entry in manifest.document["manifests"]}
            return {digest for digest in needed if self.manifest(digest) is None}
        document = manifest.document
        needed = {entry["digest"] for entry in (document["config"], *document["layers"])}
        return {digest for digest in needed if self.blob(digest) is None}

    def add_manifest(self, manifest: Manifest, digest: str, tags: Iterator[str] | list[str]) -> None:
        self.manifests[manifest.digest] = manifest
        if digest != manifest.digest:
            self.manifest_aliases[digest] = manifest.digest
        self.tags.update(dict.fromkeys(tags, manifest.digest))
        self.began = True

    def delete_manifest(self, digest: str) -> bool:
        """Delete a manifest by one of its names, and the tags that point at it."""
        manifest = self.manifest(digest) if ":" in digest else None
        if manifest is None:
            return False
        del self.manifests[manifest.digest]
        self.manifest_aliases.pop(digest, None)
        self.tags = {tag: target for tag, target in self.tags.items() if target != manifest.digest}
        return True

    def referrers(self, subject: str, artifact_type: str = "") -> list[dict[str, Any]]:
        found = [manifest.as_referrer() for manifest in self.manifests.values() if manifest.subject == subject]
        wanted = [entry for entry in found if not artifact_type or entry.get("artifactType") == artifact_type]
        return sorted(wanted, key=lambda entry: entry["digest"])
