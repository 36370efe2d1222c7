"""Reading manifest documents: JSON objects with descriptors in them, refused in words where they are not."""

from __future__ import annotations

import json
from typing import Any

from registry_wsgi import mediatypes
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import DigestInvalid, ManifestInvalid

_DOCKER = frozenset({mediatypes.DOCKER_MANIFEST, mediatypes.DOCKER_MANIFEST_LIST})


def load(payload: bytes) -> dict[str, Any]:
    """Return the JSON object in `payload`. Raises ManifestInvalid."""
    try:
        document = json.loads(payload.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(f"the manifest is no JSON in UTF-8: {error}") from None
    if not isinstance(document, dict):
        raise ManifestInvalid("the manifest is no JSON object")
    return document


def version(document: dict[str, Any]) -> int:
    """Return the schemaVersion. Raises ManifestInvalid where it is neither 1 nor 2."""
    found = document.get("schemaVersion")
    if type(found) is not int or found not in (1, 2):
        raise ManifestInvalid(f"schemaVersion is {str(found)[:40]!r}; only 1 and 2 are supported")
    return found


def check_media_type(document: dict[str, Any], media_type: str) -> None:
    """Raise ManifestInvalid unless the document is of `media_type`; an OCI document need not say so."""
    said = document.get("mediaType")
    if said == media_type or (said in (None, "") and media_type not in _DOCKER):
        return
    raise ManifestInvalid(f"the document's mediaType is {str(said)[:160]!r}, but it was sent as {media_type}")


def descriptor(value: object, where: str) -> Descriptor:
    """Return the descriptor that `value` is; `where` names it in errors. Raises ManifestInvalid."""
    if not isinstance(value, dict):
        raise ManifestInvalid(f"{where} is no descriptor object")
    media_type, size = value.get("mediaType"), value.get("size")
    if not isinstance(media_type, str) or not media_type:
        raise ManifestInvalid(f"{where} has no mediaType")
    if type(size) is not int or size < 0:
        raise ManifestInvalid(f"{where} has no size that is a whole number of bytes")
    try:
        digest = Digest.parse(str(value.get("digest", "")))
    except DigestInvalid as error:
        raise ManifestInvalid(f"{where}: {error.detail}") from None
    extra = {key: member for key, member in value.items() if key not in ("mediaType", "size", "digest")}
    return Descriptor(digest=digest, size=size, media_type=media_type, extra=extra)


def descriptors(document: dict[str, Any], member: str) -> tuple[Descriptor, ...]:
    """Return the list of descriptors at `member`, which must be there and may be empty."""
    values = document.get(member)
    if not isinstance(values, list):
        raise ManifestInvalid(f"{member} is no list of descriptors")
    return tuple(descriptor(value, f"{member}[{position}]") for position, value in enumerate(values))


def subject(document: dict[str, Any]) -> Descriptor | None:
    """Return the manifest that this one refers to; it may be missing from the registry (OCI Distribution Spec 1.1)."""
    value = document.get("subject")
    return None if value is None else descriptor(value, "subject")


def artifact_type(document: dict[str, Any]) -> str:
    value = document.get("artifactType", "")
    if not isinstance(value, str):
        raise ManifestInvalid("artifactType is no string")
    return value


def string_annotations(document: dict[str, Any]) -> dict[str, str]:
    """Return the annotations that are strings; others have no meaning, and no place in a list of referrers."""
    value = document.get("annotations")
    members = value.items() if isinstance(value, dict) else ()
    return {key: member for key, member in members if isinstance(member, str)}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
