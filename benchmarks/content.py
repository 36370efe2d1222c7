"""What the servers store and send: blobs that are cheap to make, and an image of them."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 20
MEGABYTE = 10**6

REPOSITORY = "bench/app"
TAG = "latest"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"

# What docker sends with a pull, in one header.
ACCEPT = ", ".join(
    (
        MANIFEST_TYPE,
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    )
)


@dataclass(frozen=True)
class Blob:
    """`size` bytes: one random block over and over, other for each `seed`, so that no server has it already."""

    seed: int
    size: int

    @cached_property
    def block(self) -> bytes:
        return random.Random(self.seed).randbytes(min(CHUNK, self.size))

    @cached_property
    def digest(self) -> str:
        sha256 = hashlib.sha256()
        for piece in self.pieces():
            sha256.update(piece)
        return f"sha256:{sha256.hexdigest()}"

    def pieces(self) -> Iterator[bytes]:
        """Give the content in blocks; the last may be shorter."""
        whole, rest = divmod(self.size, CHUNK)
        for _ in range(whole):
            yield self.block
        if rest:
            yield self.block[:rest]

    def frames(self) -> Iterator[bytes]:
        """Give the content as a chunked body (RFC 9112 §7.1), one chunk to a block.

        The full frame is made once: a load generator that copies bytes measures itself.
        """
        whole, rest = divmod(self.size, CHUNK)
        full = frame(self.block) if whole else b""
        for _ in range(whole):
            yield full
        if rest:
            yield frame(self.block[:rest])
        yield b"0\r\n\r\n"


def frame(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


@dataclass(frozen=True)
class Image:
    """An image of three layers, which every server holds before it is measured."""

    small: Blob
    medium: Blob
    large: Blob
    config: Blob

    @property
    def layers(self) -> tuple[Blob, ...]:
        return (self.small, self.medium, self.large)

    @cached_property
    def manifest(self) -> bytes:
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": descriptor(CONFIG_TYPE, self.config),
            "layers": [descriptor(LAYER_TYPE, layer) for layer in self.layers],
        }
        return json.dumps(document, indent=2).encode()

    @cached_property
    def manifest_digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.manifest).hexdigest()}"


def descriptor(media_type: str, blob: Blob) -> dict[str, object]:
    """Return how a manifest names a blob."""
    return {"mediaType": media_type, "size": blob.size, "digest": blob.digest}


def blob_path(blob: Blob) -> str:
    """Return the path of a blob in our repository."""
    return f"/v2/{REPOSITORY}/blobs/{blob.digest}"


def manifest_path(reference: str) -> str:
    """Return the path of a manifest in our repository, by tag or by digest."""
    return f"/v2/{REPOSITORY}/manifests/{reference}"


def make_image() -> Image:
    """Return the image of the rows "GET blob …"."""
    sizes = {"small": 10_000, "medium": MEGABYTE, "large": 200 * MEGABYTE, "config": 2_000}
    return Image(**{name: Blob(seed, size) for seed, (name, size) in enumerate(sizes.items())})
