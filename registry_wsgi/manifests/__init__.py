"""Manifest formats: parse and validate, nothing else.

`parse` takes what a client sends under a Content-Type; `recognise` takes what is stored, whose
media type is derived from the bytes themselves, for the tree keeps none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi import mediatypes
from registry_wsgi.errors import ManifestInvalid
from registry_wsgi.manifests import image, index
from registry_wsgi.manifests.document import load

if TYPE_CHECKING:
    from registry_wsgi.interfaces import Manifest

__all__ = ["parse", "recognise"]

_UNSPECIFIC = ("", "application/json", "application/octet-stream")


def parse(payload: bytes, content_type: str) -> Manifest:
    """Return the manifest in `payload`, sent as `content_type` (parameters are ignored).

    An unspecific content type leaves the choice to the document. Raises ManifestInvalid, also where
    the document says it is of another type: one document must never be read in two ways
    (CVE-2021-41190).
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in _UNSPECIFIC:
        return recognise(payload)
    if media_type not in mediatypes.MANIFESTS:
        allowed = ", ".join(sorted(mediatypes.MANIFESTS))
        raise ManifestInvalid(f"manifests of the type {media_type[:160]!r} are not supported; allowed are: {allowed}")
    return _parse(payload, load(payload), media_type)


def recognise(payload: bytes) -> Manifest:
    """Return the manifest in `payload`, of the type that the document has. Raises ManifestInvalid."""
    document = load(payload)
    media_type = document.get("mediaType")
    if media_type is None or media_type == "":
        media_type = mediatypes.OCI_INDEX if "manifests" in document else mediatypes.OCI_MANIFEST
    elif media_type not in mediatypes.MANIFESTS:
        raise ManifestInvalid(f"the document's mediaType {str(media_type)[:160]!r} is no manifest's")
    return _parse(payload, document, media_type)


def _parse(payload: bytes, document: dict[str, object], media_type: str) -> Manifest:
    parse_type = image.parse if media_type in mediatypes.IMAGES else index.parse
    return parse_type(payload, document, media_type)
