"""Image and artifact manifests: Docker schema 2 and OCI Image Spec 1.1 `manifest.md`."""

from __future__ import annotations

from typing import Any

from registry_wsgi.errors import ManifestInvalid
from registry_wsgi.interfaces import Manifest
from registry_wsgi.manifests import document as read


def parse(payload: bytes, document: dict[str, Any], media_type: str) -> Manifest:
    """Return the manifest; its references are the config, then the layers. Raises ManifestInvalid."""
    read.check_media_type(document, media_type)
    if "manifests" in document:
        raise ManifestInvalid("an image manifest cannot have manifests; an index has them")
    config = read.descriptor(document.get("config"), "config")
    return Manifest(
        media_type=media_type,
        payload=payload,
        references=(config, *read.descriptors(document, "layers")),
        subject=read.subject(document),
        artifact_type=read.artifact_type(document) or config.media_type,
        annotations=read.string_annotations(document),
    )
