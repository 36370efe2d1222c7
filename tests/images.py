"""Images for the clients to push: OCI layouts with seeded layers of any size, made fast and in little memory.

The same sizes and seed always make the same digests. Layers are real tar archives with one file each, since
podman and buildah unpack what they pull.
"""

from __future__ import annotations

import hashlib
import json
import random
import tarfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from registry_wsgi import mediatypes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

KB, MB = 1000, 1000 * 1000
CHUNK = 1 << 20

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = f"{LAYER}+gzip"

Object = dict[str, Any]
"""A JSON object: here most often an OCI descriptor."""


def random_chunks(size: int, seed: int | str) -> Iterator[bytes]:
    """Yield `size` bytes that no client can compress, the same for the same seed."""
    source = random.Random(seed)
    for start in range(0, size, CHUNK):
        yield source.randbytes(min(CHUNK, size - start))


def tar_of_one_file(name: str, size: int, seed: int | str) -> Iterator[bytes]:
    """Yield a tar archive with one file of seeded content."""
    info = tarfile.TarInfo(name)
    info.size = size
    yield info.tobuf(tarfile.USTAR_FORMAT)
    yield from random_chunks(size, seed)
    yield bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def gzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the gzip form, without a time in its header."""
    packer = zlib.compressobj(level=1, wbits=31)
    for chunk in chunks:
        yield packer.compress(chunk)
    yield packer.flush()


def to_json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def digest_of_chunks(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


@dataclass(frozen=True)
class Image:
    """An image in a layout: its descriptor, its config's digest, and the digests of its unpacked layers."""

    descriptor: Object
    manifest: Object
    diff_ids: list[str]

    @property
    def digest(self) -> str:
        return self.descriptor["digest"]

    @property
    def config_digest(self) -> str:
        return self.manifest["config"]["digest"]


class Layout:
    """An OCI image layout (image-spec `image-layout.md`) in `directory`, to write to or to read."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.blobs = directory / "blobs" / "sha256"
        self.blobs.mkdir(parents=True, exist_ok=True)
        marker = directory / "oci-layout"
        if not marker.exists():
            marker.write_bytes(to_json({"imageLayoutVersion": "1.0.0"}))
            self._write_index([])

    # ── writing ──

    def add(self, chunks: Iterable[bytes], media_type: str) -> Object:
        """Write a blob and return its descriptor."""
        part, digest, size = self.blobs / "part", hashlib.sha256(), 0
        with part.open("wb") as file:
            for chunk in chunks:
                digest.update(chunk)
                size += file.write(chunk)
        part.rename(self.blobs / digest.hexdigest())
        return {"mediaType": media_type, "digest": f"sha256:{digest.hexdigest()}", "size": size}

    def add_manifest(self, document: Object, tag: str = "") -> Object:
        """Write a manifest or an index and return its descriptor; with a tag, list it in the layout's index."""
        descriptor = self.add([to_json(document)], document["mediaType"])
        if tag:
            entry = descriptor | {"annotations": {"org.opencontainers.image.ref.name": tag}}
            self._write_index([*self.index["manifests"], entry])
        return descriptor

    def add_image(
        self, sizes: Sequence[int], tag: str = "", *, seed: str = "image", architecture: str = "amd64"
    ) -> Image:
        """Write an image with a layer for each size in bytes. Layers under 1 MB are gzipped, larger ones plain."""
        layers, diff_ids = [], []
        for number, size in enumerate(sizes):
            archive = f"layer-{number}", size, f"{seed}/{number}"
            if size < MB:
                layers.append(self.add(gzipped(tar_of_one_file(*archive)), LAYER_GZIP))
                diff_ids.append(digest_of_chunks(tar_of_one_file(*archive)))
            else:
                layers.append(self.add(tar_of_one_file(*archive), LAYER))
                diff_ids.append(layers[-1]["digest"])
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_MANIFEST,
            "config": self.add([to_json(config)], CONFIG),
            "layers": layers,
        }
        return Image(self.add_manifest(manifest, tag), manifest, diff_ids)

    def add_index(self, images: dict[str, Image], tag: str) -> Object:
        """Write an index of images by architecture and return its descriptor."""
        manifests = [
            image.descriptor | {"platform": {"architecture": architecture, "os": "linux"}}
            for architecture, image in images.items()
        ]
        index = {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": manifests}
        return self.add_manifest(index, tag)

    def _write_index(self, manifests: list[Object]) -> None:
        (self.directory / "index.json").write_bytes(to_json({"schemaVersion": 2, "manifests": manifests}))

    # ── reading ──

    @property
    def index(self) -> Object:
        return json.loads((self.directory / "index.json").read_bytes())

    def digests(self) -> dict[str, int]:
        """Return the size of each blob by its digest, which is computed anew from its bytes."""
        found = {}
        for path in self.blobs.iterdir():
            with path.open("rb") as file:
                found[f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"] = path.stat().st_size
        return found

    def read(self, digest: str) -> bytes:
        return (self.blobs / digest.removeprefix("sha256:")).read_bytes()
