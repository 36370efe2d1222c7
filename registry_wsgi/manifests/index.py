"""Lists of manifests: Docker manifest list and OCI Image Spec 1.1 `image-index.md`."""

from __future__ import annotations

from typing import Any

from registry_wsgi.errors import ManifestInvalid
from registry_wsgi.interfaces import Manifest
from registry_wsgi.manifests import document as read


def parse(payload: bytes, document: dict[str, Any], media_type: str) -> Manifest:
    """Return the index; its references are the manifests in it. Raises ManifestInvalid."""
    read.check_media_type(document, media_type)
    for member in ("config", "layers"):
        if member in document:
            raise ManifestInvalid(f"an index cannot have {member}; an image manifest has")
    return Manifest(
        media_type=media_type,
        payload=payload,
        references=read.descriptors(document, "manifests"),
        subject=read.subject(document),
        artifact_type=read.artifact_type(document),
        annotations=read.string_annotations(document),
    )
