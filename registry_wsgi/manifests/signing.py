"""Verifying and making the signatures of schema 1 manifests."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from registry_wsgi.errors import ManifestUnverified
from registry_wsgi.manifests import jws, keys

if TYPE_CHECKING:
    from registry_wsgi.interfaces import Manifest


class LibtrustSigner:
    """A ManifestSigner with one private key: the one in the file at `path` (PEM or JWK), or a new one.

    The time in its signatures is that of its making, so that one signer always signs a payload with the same bytes.
    Raises ValueError where the file holds no such key, OSError where it cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str] = "") -> None:
        if os.fspath(path):
            with open(path, "rb") as file:
                self._key = keys.load(file.read())
        else:
            self._key = keys.generate()
        self._jwk = keys.to_jwk(self._key.public_key())
        self._time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def verify(self, manifest: Manifest) -> None:
        """Raise ManifestUnverified unless each signature verifies with the key that it names."""
        if not manifest.signatures:
            raise ManifestUnverified("the manifest has no signatures")
        for number, signature in enumerate(manifest.signatures):
            try:
                self._verify(signature, manifest.payload)
            except ValueError as error:
                raise ManifestUnverified(f"signatures[{number}]: {error}") from None

    def sign(self, payload: bytes) -> bytes:
        """Return a signature of `payload`. Raises ValueError where that is no JSON object with members."""
        protected = jws.protect(jws.split_of(payload), self._time)
        algorithm, signature = keys.sign(self._key, jws.signing_input(protected, payload))
        return jws.signature_object({"jwk": self._jwk, "alg": algorithm}, signature, protected)

    @staticmethod
    def _verify(signature: bytes, payload: bytes) -> None:
        document = jws.load(signature)
        header, content = document["header"], jws.signing_input(document["protected"], payload)
        keys.verify(keys.from_header(header), header.get("alg"), jws.decode(document["signature"]), content)
