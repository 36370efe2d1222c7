"""Image manifests of schema 1: what Docker had before schema 2 (Docker's "Image Manifest Version 2, Schema 1").

A signed one is a payload with signatures in it, see jws.py. The digest is the payload's, and payload and signatures
are stored apart, so that the signatures of several pushers gather.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from registry_wsgi import mediatypes
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import DigestInvalid, ManifestInvalid, NameInvalid
from registry_wsgi.interfaces import Manifest
from registry_wsgi.manifests import document as read
from registry_wsgi.manifests import jws
from registry_wsgi.reference import check_name

if TYPE_CHECKING:
    from collections.abc import Iterable


def parse_signed(signed: bytes, document: dict[str, Any]) -> Manifest:
    """Return the manifest that a client sends: `payload` and `signatures` apart. Raises ManifestInvalid.

    `document` is what `signed` parsed to. Only the signatures are read from it: what else is outside of the
    payload is not signed. They are not verified.
    """
    payload, signatures = jws.unsign(signed, document)
    document = _checked(read.load(payload))
    layers, history = document["fsLayers"], document["history"]
    if len(layers) != len(history):
        raise ManifestInvalid(f"the manifest has {len(layers)} fsLayers, and a history of {len(history)}")
    for position, entry in enumerate(history):
        if not isinstance(entry, dict) or not isinstance(entry.get("v1Compatibility"), str):
            raise ManifestInvalid(f"history[{position}] has no v1Compatibility")
    try:
        check_name(document["name"])
        references = [_reference(layer) for layer in layers]
    except (NameInvalid, DigestInvalid) as error:
        raise ManifestInvalid(error.detail) from None
    return Manifest(mediatypes.SCHEMA1_SIGNED, payload, tuple(references), signatures=signatures, signed=signed)


def parse_payload(payload: bytes, document: dict[str, Any]) -> Manifest:
    """Return the manifest in a stored payload, which parsed to `document`, without its signatures.

    Raises ManifestInvalid. What release 2.0 named by a checksum of another kind, `tarsum`, is no reference.
    """
    references = []
    for layer in _checked(document)["fsLayers"]:
        try:
            references.append(_reference(layer))
        except DigestInvalid:
            continue
    return Manifest(mediatypes.SCHEMA1, payload, tuple(references))


def sign(manifest: Manifest, signatures: Iterable[bytes]) -> Manifest:
    """Return the manifest with signatures in it. Raises ValueError, as `jws.assemble` does."""
    kept = tuple(signatures)
    signed = jws.assemble(manifest.payload, kept)
    return replace(manifest, media_type=mediatypes.SCHEMA1_SIGNED, signatures=kept, signed=signed)


def name(manifest: Manifest) -> str:
    """Return the name of the repository that the manifest was made for."""
    return str(read.load(manifest.payload)["name"])


def _checked(document: dict[str, Any]) -> dict[str, Any]:
    if read.version(document) != 1:
        raise ManifestInvalid("the payload is not of schemaVersion 1")
    if "signatures" in document:
        raise ManifestInvalid("the payload has signatures of its own")
    if not isinstance(document.get("name"), str) or not isinstance(document.get("tag", ""), str):
        raise ManifestInvalid("name or tag of the manifest is no string")
    for member in ("fsLayers", "history"):
        if not isinstance(document.get(member), list):
            raise ManifestInvalid(f"{member} is no list")
    for position, layer in enumerate(document["fsLayers"]):
        if not isinstance(layer, dict) or not isinstance(layer.get("blobSum"), str):
            raise ManifestInvalid(f"fsLayers[{position}] has no blobSum")
    return document


def _reference(layer: dict[str, Any]) -> Descriptor:
    """Return the descriptor of a layer, whose size schema 1 does not tell."""
    return Descriptor(digest=Digest.parse(layer["blobSum"]), size=0, media_type=mediatypes.SCHEMA1_LAYER)
