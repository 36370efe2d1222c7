"""Digests and descriptors: the handles by which all content is named.

Grammar: OCI Image Spec 1.1, `descriptor.md` "Digests"; the registered algorithms are
sha256, sha384 and sha512, in lower-case hexadecimal of their exact length.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from registry_wsgi.errors import DigestInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

CANONICAL_ALGORITHM = "sha256"
"""The algorithm that names blobs in the storage tree, whatever a client used."""

_HEX_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
ALGORITHMS = tuple(_HEX_LENGTHS)
_DIGEST = re.compile("|".join(f"{name}:[0-9a-f]{{{length}}}" for name, length in _HEX_LENGTHS.items()))


class Digest(str):
    """A checked digest, `algorithm:hex`. Make one with `parse` or `of`, never by calling it."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Return `text` as a digest; raise DigestInvalid where it is outside the grammar."""
        if _DIGEST.fullmatch(text) is None:
            known = ", ".join(f"{name} with {n} hex digits" for name, n in _HEX_LENGTHS.items())
            raise DigestInvalid(f"malformed or unsupported digest {text[:160]!r}; known are: {known}")
        return cls(text)

    @classmethod
    def of(cls, content: bytes, algorithm: str = CANONICAL_ALGORITHM) -> Digest:
        """Return the digest of `content`."""
        return cls(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")

    @property
    def algorithm(self) -> str:
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        return self.partition(":")[2]


EMPTY_DIGEST = Digest.of(b"")
OCTET_STREAM = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What is known of some content: media type, size in bytes, digest.

    `extra` holds the optional members of an OCI descriptor (urls, annotations, platform,
    artifactType, data) as they stood in the document that the descriptor was read from.
    """

    digest: Digest
    size: int
    media_type: str = OCTET_STREAM
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of OCI Image Spec `descriptor.md`."""
        return {
            "mediaType": self.media_type,
            "size": self.size,
            "digest": str(self.digest),
            **self.extra,
        }
