"""Schema 2 images in schema 1, byte by byte as docker-registry 2.3 to 2.8 makes them for clients that know no other.

Each layer gets an identifier made of its digest and its parent's; the topmost one has the image's configuration.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from registry_wsgi.descriptor import Digest
from registry_wsgi.errors import ManifestInvalid
from registry_wsgi.manifests import schema1
from registry_wsgi.manifests.document import load

if TYPE_CHECKING:
    from registry_wsgi.interfaces import Manifest

EMPTY_LAYER = bytes.fromhex("1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000")
"""1024 zero bytes, an empty tar archive, as Docker compressed them."""
EMPTY_LAYER_DIGEST = Digest.of(EMPTY_LAYER)

_BLANK = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NO_TIME = "0001-01-01T00:00:00Z"


def to_schema1(manifest: Manifest, config: bytes, name: str, tag: str) -> Manifest:
    """Return the unsigned schema 1 manifest of an image and its configuration. Raises ManifestInvalid."""
    image = load(config)
    try:
        history, root = image["history"], image["rootfs"]
        layers = [str(layer.digest) for layer in manifest.references[1:]]
        if not history or len(layers) != sum(not entry.get("empty_layer") for entry in history):
            raise ManifestInvalid("the image cannot be converted to schema 1: its history does not tell its layers")
        sums = iter(layers)
        blobs = [str(EMPTY_LAYER_DIGEST) if entry.get("empty_layer") else next(sums) for entry in history]
        entries = _entries(history, blobs, str(root.get("base_layer") or ""), config.decode())
    except (KeyError, TypeError, AttributeError, ValueError, StopIteration) as error:
        raise ManifestInvalid(f"the image cannot be converted to schema 1: {error!r}") from None
    document = {
        "schemaVersion": 1,
        "name": name,
        "tag": tag,
        "architecture": image.get("architecture", ""),
        "fsLayers": [{"blobSum": blob} for blob in reversed(blobs)],
        "history": [{"v1Compatibility": entry} for entry in reversed(entries)],
    }
    payload = _to_json(document, indent="   ").encode()
    return schema1.parse_payload(payload, document)


def _entries(history: list[dict[str, Any]], blobs: list[str], base_layer: str, config: str) -> list[str]:
    """Return the `v1Compatibility` of each entry of the history, the oldest first."""
    entries, parent = [], ""
    for position, (entry, blob) in enumerate(zip(history[:-1], blobs[:-1], strict=True)):
        identifier = _identifier(blob, parent)
        if position == 0 and base_layer:  # of Windows images, whose lowest layer is not in the registry
            parent = hashlib.sha384(base_layer.encode()).hexdigest()[:64]
        entries.append(_to_json(_fake_image(identifier, parent, entry)))
        parent = identifier
    top = _members(config)
    for absent in ("rootfs", "history"):
        top.pop(absent, None)
    top["id"] = _to_json(_identifier(blobs[-1], parent, config))
    if parent:
        top["parent"] = _to_json(parent)
    if history[-1].get("empty_layer"):
        top["throwaway"] = "true"
    members = (f"{_to_json(member)}:{_escaped(text)}" for member, text in sorted(top.items()))
    return [*entries, f"{{{','.join(members)}}}"]


def _identifier(blob: str, *rest: str) -> str:
    return hashlib.sha256(" ".join((blob.partition(":")[2], *rest)).encode()).hexdigest()


def _fake_image(identifier: str, parent: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Return an image of schema 1 that cannot be run: only the topmost one can."""
    made = {
        "id": identifier,
        "parent": parent,
        "comment": entry.get("comment"),
        "created": _time(entry.get("created")),
        "container_config": {"Cmd": [entry.get("created_by", "")]},
        "author": entry.get("author"),
        "throwaway": bool(entry.get("empty_layer")),
    }
    return {member: value for member, value in made.items() if value}


def _time(text: str | None) -> str:
    """Return the time as Go writes it: without zeros at the end of the fraction, and with Z for +00:00."""
    if text is None:
        return _NO_TIME
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"no RFC 3339 time: {text[:40]!r}")
    fraction = (match[2] or "").rstrip("0")
    return f"{match[1]}{'.' + fraction if fraction else ''}{'Z' if match[3] in ('+00:00', '-00:00') else match[3]}"


def _members(text: str) -> dict[str, str]:
    """Return the JSON text of each member of an object, without blanks and otherwise as it was written."""
    text = _BLANK.sub(lambda match: match[1] or "", text)
    decode, position = json.JSONDecoder().raw_decode, 1
    members = {}
    while text[position] != "}":
        member, colon = decode(text, position)
        _, end = decode(text, colon + 1)
        members[member] = text[colon + 1 : end]
        position = end + (text[end] == ",")
    return members


def _to_json(value: object, indent: str | None = None) -> str:
    separators = (",", ":") if indent is None else (",", ": ")
    return _escaped(json.dumps(value, ensure_ascii=False, indent=indent, separators=separators))


def _escaped(text: str) -> str:
    """Return JSON text with the characters escaped that Go escapes, none of which stands outside of strings."""
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
