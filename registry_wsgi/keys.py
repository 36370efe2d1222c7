"""Ids of public keys, as libtrust makes them: Docker's token servers and signatures of schema 1 name keys by these.

Imported only where something that needs the package `cryptography` is enabled.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


def fingerprint(key: PublicKeyTypes) -> str:
    """Return libtrust's key id: groups of four letters of the hash of the key's SubjectPublicKeyInfo."""
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    text = base64.b32encode(hashlib.sha256(key.public_bytes(encoding, form)).digest()[:30]).decode()
    return ":".join(text[start : start + 4] for start in range(0, len(text), 4))
