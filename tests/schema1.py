"""Schema 1 manifests, signed with keys that are made for each run."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from registry_wsgi import mediatypes
from registry_wsgi.manifests import jws
from registry_wsgi.manifests.signing import LibtrustSigner

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from registry_wsgi.manifests.keys import PrivateKey

SIGNED_TYPE = {"Content-Type": mediatypes.SCHEMA1_SIGNED}
ACCEPT_SCHEMA1 = {"Accept": f"{mediatypes.SCHEMA1_SIGNED}, {mediatypes.SCHEMA1}"}

_MAKE = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}
KINDS = sorted(_MAKE)


def key(kind: str, number: int = 0) -> PrivateKey:
    """Return the key of a kind; another one for another number."""
    return _made(kind, number)


@functools.cache
def _made(kind: str, number: int) -> PrivateKey:
    return _MAKE[kind]()


def pem(kind: str, number: int = 0) -> bytes:
    return key(kind, number).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def signer(directory: Path, kind: str = "P-256", number: int = 0) -> LibtrustSigner:
    path = directory / f"{kind}-{number}.pem"
    path.write_bytes(pem(kind, number))
    return LibtrustSigner(path)


def payload(name: object, layers: Iterable[str], tag: str = "v1", **members: object) -> bytes:
    """Return an unsigned manifest as Go's registries write it, the newest layer first."""
    digests = list(layers)
    document = {
        "schemaVersion": 1,
        "name": name,
        "tag": tag,
        "architecture": "amd64",
        "fsLayers": [{"blobSum": digest} for digest in digests],
        "history": [{"v1Compatibility": json.dumps({"id": f"{number:064x}"})} for number in range(len(digests))],
    }
    return json.dumps(document | members, indent=3).encode()


def sign(content: bytes, *signers: LibtrustSigner) -> bytes:
    return jws.assemble(content, [each.sign(content) for each in signers])
