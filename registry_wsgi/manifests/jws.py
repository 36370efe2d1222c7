"""JSON Web Signatures inside of the document that they sign: libtrust's "pretty" form, which Docker's schema 1 uses.

    {                                        {
       "name": "a",                             "name": "a",
       "tag": "b"            signed:            "tag": "b",
    }                                           "signatures": [{"header": …, "signature": …, "protected": …}]
                                             }

The payload is cut after its last member; `protected` says where, and what comes after the cut. It is signed
together with the payload (RFC 7515 §5.1). Nothing is verified here: that needs keys, see signing.py.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from registry_wsgi.errors import ManifestInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_SIGNATURES = 64
"""Nobody signs so often; verifying thousands would keep a processor busy."""

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")
_INDENTED = re.compile(rb'\{\n([ \t]*)"')
_BLANK = b" \t\r\n"


class Split(NamedTuple):
    """Where a payload is cut: its first `length` bytes, and the `tail` after them."""

    length: int
    tail: bytes


def encode(content: bytes) -> str:
    """Return base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decode(text: object) -> bytes:
    """Return what `encode` was given, and nothing that it never makes. Raises ValueError."""
    if not isinstance(text, str) or not _ALPHABET.fullmatch(text) or len(text) % 4 == 1:
        raise ValueError("no base64url without padding")
    content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(content) != text:
        raise ValueError("bits beyond the end of the content")
    return content


def unsign(signed: bytes, document: dict[str, Any]) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the payload and the signatures, each as compact JSON, of a signed document and what it parsed to.

    Raises ManifestInvalid, also where the signatures disagree on what the payload is.
    """
    found = document.get("signatures")
    if not isinstance(found, list) or not found:
        raise ManifestInvalid("the manifest has no signatures")
    if len(found) > MOST_SIGNATURES:
        raise ManifestInvalid(f"the manifest has {len(found)} signatures; at most {MOST_SIGNATURES} are allowed")
    try:
        signatures = tuple(_compact(signature) for signature in found)
        first, *others = {_split(signature) for signature in signatures}
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(f"a signature of the manifest cannot be read: {error}") from None
    if others:
        raise ManifestInvalid("the signatures of the manifest disagree on what they sign")
    if first.length > len(signed):
        raise ManifestInvalid(f"the signatures sign {first.length} bytes of a manifest of {len(signed)}")
    return signed[: first.length] + first.tail, signatures


def assemble(payload: bytes, signatures: Iterable[bytes]) -> bytes:
    """Return the payload with signatures in it, in libtrust's own form: byte by byte what was signed with libtrust.

    Signatures that cut the payload elsewhere than the first one cannot stand beside it and are left out.
    Raises ValueError where there are none, or one is damaged or of another payload.
    """
    kept = {compact: _split(compact) for compact in (_compact(load(signature)) for signature in signatures)}
    if not kept:
        raise ValueError("no signatures")
    for split in kept.values():
        if payload != payload[: split.length] + split.tail:
            raise ValueError("a signature of another payload")
    chosen = next(iter(kept.values()))
    objects = sorted((load(each) for each, split in kept.items() if split == chosen), key=_order)
    indent = match[1].decode() if (match := _INDENTED.match(payload)) else ""
    if indent:
        lines = _to_json(objects, indent).replace("\n", f"\n{indent}")
        block = f',\n{indent}"signatures": {lines}\n}}'
    else:
        block = f',"signatures":{_to_json(objects)}}}'
    return payload[: chosen.length] + block.encode()


def split_of(payload: bytes) -> Split:
    """Return where libtrust cuts a payload: after the last byte of its last member. Raises ValueError."""
    content = payload.rstrip(_BLANK)
    inside = content[:-1].rstrip(_BLANK)
    if not content.endswith(b"}") or inside.endswith((b",", b"{")):
        raise ValueError("no JSON object with members")
    return Split(len(inside), payload[len(inside) :])


def protect(split: Split, time: str) -> str:
    """Return the protected header of a signature made at `time` (RFC 3339, UTC)."""
    header = {"formatLength": split.length, "formatTail": encode(split.tail), "time": time}
    return encode(_to_json(header).encode())


def signature_object(header: dict[str, Any], signature: bytes, protected: str) -> bytes:
    """Return one signature in the form in which it is stored: compact JSON, members in libtrust's order."""
    return _compact({"header": header, "signature": encode(signature), "protected": protected})


def load(text: bytes) -> dict[str, Any]:
    """Return the JSON object in `text`. Raises ValueError."""
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("no JSON object")
    return document


def signing_input(protected: str, payload: bytes) -> bytes:
    return f"{protected}.{encode(payload)}".encode()


def _compact(signature: object) -> bytes:
    if not isinstance(signature, dict) or not isinstance(signature.get("header"), dict):
        raise ValueError("it is no object with a header")
    header, protected = signature["header"], signature.get("protected")
    if not isinstance(signature.get("signature"), str) or not isinstance(protected, str):
        raise ValueError("it has no signature, or no protected header")
    kept: dict[str, Any] = {}
    if isinstance(header.get("jwk"), dict):
        kept["jwk"] = dict(sorted(header["jwk"].items()))
    kept |= {name: header[name] for name in ("alg", "x5c") if name in header}
    ordered = {"header": kept, "signature": signature["signature"], "protected": protected}
    return _to_json(ordered).encode()


def _split(signature: bytes) -> Split:
    """Return where the payload of a stored signature is cut. Raises ValueError."""
    document = load(signature)
    protected = load(decode(document.get("protected")))
    length = protected.get("formatLength")
    if type(length) is not int or length < 0:
        raise ValueError("its protected header has no formatLength")
    return Split(length, decode(protected.get("formatTail")))


def _order(signature: dict[str, Any]) -> tuple[str, str]:
    return str(signature["header"].get("jwk", {}).get("kid", "")), signature["signature"]


def _to_json(value: object, indent: str | None = None) -> str:
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
