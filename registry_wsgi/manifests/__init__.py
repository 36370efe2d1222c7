"""Manifest formats: parse and validate, nothing else.

`parse` takes what a client sends under a Content-Type; `recognise` takes what is stored, whose
media type is derived from the bytes themselves, for the tree keeps none.
"""

from __future__ import annotations

from registry_wsgi import mediatypes
from registry_wsgi.errors import ManifestInvalid
from registry_wsgi.interfaces import Manifest
from registry_wsgi.manifests import image, index, schema1
from registry_wsgi.manifests.document import load, version

__all__ = ["parse", "recognise"]

_IMAGE_MEMBERS = {"config", "layers"}
_INDEX_MEMBERS = {"manifests"}
_TYPES = mediatypes.MANIFESTS | mediatypes.SCHEMA1_MANIFESTS
_UNSPECIFIC = ("", "application/json", "application/octet-stream")


def parse(payload: bytes, content_type: str) -> Manifest:
    """Return the manifest in `payload`, sent as `content_type` (parameters are ignored).

    An unspecific content type leaves the choice to the document. Raises ManifestInvalid, also where
    the document says it is of another type: one document must never be read in two ways
    (CVE-2021-41190).
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in _UNSPECIFIC and media_type not in _TYPES:
        allowed = ", ".join(sorted(_TYPES))
        raise ManifestInvalid(f"manifests of the type {media_type[:160]!r} are not supported; allowed are: {allowed}")
    document = load(payload)
    is_schema1 = version(document) == 1
    if media_type in _TYPES and is_schema1 != (media_type in mediatypes.SCHEMA1_MANIFESTS):
        raise ManifestInvalid(f"the document's schemaVersion is {version(document)}, but it was sent as {media_type}")
    if is_schema1:
        return schema1.parse_signed(payload, document)
    return _parse(payload, document, media_type if media_type in _TYPES else _media_type(document))


def recognise(payload: bytes) -> Manifest:
    """Return the manifest in stored `payload`, of the type that the document has.

    Other registries have taken documents that `parse` refuses, and these are still to be served: they are
    recognised by their members, and have no references. Raises ManifestInvalid where it is no manifest at all.
    """
    document = load(payload)
    if version(document) == 1:
        return schema1.parse_payload(payload, document)
    media_type = _media_type(document)
    try:
        return _parse(payload, document, media_type)
    except ManifestInvalid:
        members = {"config", "layers", "manifests"} & document.keys()
        if members != (_INDEX_MEMBERS if media_type in mediatypes.INDEXES else _IMAGE_MEMBERS):
            raise
        return Manifest(media_type=media_type, payload=payload, references=())


def _media_type(document: dict[str, object]) -> str:
    media_type = document.get("mediaType")
    if media_type is None or media_type == "":
        media_type = mediatypes.OCI_INDEX if "manifests" in document else mediatypes.OCI_MANIFEST
    elif not isinstance(media_type, str) or media_type not in mediatypes.MANIFESTS:
        raise ManifestInvalid(f"the document's mediaType {str(media_type)[:160]!r} is no manifest's")
    return media_type


def _parse(payload: bytes, document: dict[str, object], media_type: str) -> Manifest:
    parse_type = image.parse if media_type in mediatypes.IMAGES else index.parse
    return parse_type(payload, document, media_type)
