"""Images, indexes and artifacts from literals: what has to be stored for each, byte by byte the same every time."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from registry_wsgi import mediatypes
from registry_wsgi.descriptor import Descriptor, Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Layer = bytes | Mapping[str, bytes | str]
"""A layer: its very bytes, or files by path, which become a compressed tar archive."""

EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"
_GZIP = b"\x1f\x8b"
_CONFIGS = {
    mediatypes.OCI_MANIFEST: "application/vnd.oci.image.config.v1+json",
    mediatypes.DOCKER_MANIFEST: "application/vnd.docker.container.image.v1+json",
}
_LAYERS = {
    mediatypes.OCI_MANIFEST: "application/vnd.oci.image.layer.v1.tar",
    mediatypes.DOCKER_MANIFEST: "application/vnd.docker.image.rootfs.diff.tar",
}
_COMPRESSED = {mediatypes.OCI_MANIFEST: "+gzip", mediatypes.DOCKER_MANIFEST: ".gzip"}


@dataclass(frozen=True)
class Content:
    """A manifest of `media_type`, and the blobs that have to be there before it."""

    media_type: str
    payload: bytes
    blobs: tuple[bytes, ...] = ()


def image(
    layers: Sequence[Layer],
    *,
    media_type: str = mediatypes.OCI_MANIFEST,
    config: Mapping[str, Any] | bytes | None = None,
    platform: str = "linux/amd64",
    annotations: Mapping[str, str] | None = None,
    subject: Descriptor | None = None,
) -> Content:
    """Return an image of the layers. A mapping as `config` is added to what an image has to say; bytes are all of it.

    Raises ValueError.
    """
    if media_type not in _CONFIGS:
        raise ValueError(f"an image is of the type {' or '.join(_CONFIGS)}, not {media_type}")
    blobs = [_blob(layer) for layer in layers]
    if not isinstance(config, bytes):
        diff_ids = [str(Digest.of(_unpacked(blob))) for blob in blobs]
        said = _platform(platform) | {"rootfs": {"type": "layers", "diff_ids": diff_ids}}
        config = _json({**said, "config": {}, **(config or {})})
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": _descriptor(config, _CONFIGS[media_type]),
        "layers": [_descriptor(blob, _layer_type(blob, media_type)) for blob in blobs],
    }
    return Content(media_type, _json(document | _more(annotations, subject)), (config, *blobs))


def index(
    manifests: Iterable[tuple[Descriptor, str]],
    *,
    media_type: str = mediatypes.OCI_INDEX,
    annotations: Mapping[str, str] | None = None,
    subject: Descriptor | None = None,
) -> Content:
    """Return an index of manifests and their platforms, such as `linux/arm64/v8`; an empty one leaves it unsaid.

    Raises ValueError.
    """
    if media_type not in mediatypes.INDEXES:
        raise ValueError(f"an index is of the type {' or '.join(sorted(mediatypes.INDEXES))}, not {media_type}")
    entries = [each.to_dict() | ({"platform": _platform(platform)} if platform else {}) for each, platform in manifests]
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
    return Content(media_type, _json(document | _more(annotations, subject)))


def artifact(
    artifact_type: str,
    files: Mapping[str, bytes | str],
    *,
    file_type: str = "application/octet-stream",
    annotations: Mapping[str, str] | None = None,
    subject: Descriptor | None = None,
) -> Content:
    """Return an artifact whose layers are files with their names, as oras has them; without files it says only itself.

    OCI Image Spec 1.1, "Guidelines for Artifact Usage".
    """
    empty = _descriptor(b"{}", EMPTY_CONFIG)
    contents = {name: content.encode() if isinstance(content, str) else content for name, content in files.items()}
    layers = [
        _descriptor(content, file_type) | {"annotations": {"org.opencontainers.image.title": name}}
        for name, content in contents.items()
    ]
    document = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": empty,
        "layers": layers or [empty],
    }
    payload = _json(document | _more(annotations, subject))
    return Content(mediatypes.OCI_MANIFEST, payload, (b"{}", *contents.values()))


def tar_gz(files: Mapping[str, bytes | str]) -> bytes:
    """Return a compressed tar archive of files by path, the same whenever it is made: no time, no owner, one order."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, content in sorted(files.items()):
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(path.lstrip("/"))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    packer = zlib.compressobj(wbits=31)  # gzip, without a time in its header
    return packer.compress(archive.getvalue()) + packer.flush()


def _blob(layer: Layer) -> bytes:
    return tar_gz(layer) if isinstance(layer, Mapping) else layer


def _unpacked(blob: bytes) -> bytes:
    return gzip.decompress(blob) if blob.startswith(_GZIP) else blob


def _layer_type(blob: bytes, media_type: str) -> str:
    return _LAYERS[media_type] + (_COMPRESSED[media_type] if blob.startswith(_GZIP) else "")


def _platform(text: str) -> dict[str, str]:
    words = text.split("/")
    if not 2 <= len(words) <= 3 or not all(words):
        raise ValueError(f"a platform is written as linux/amd64 or linux/arm64/v8, not {text!r}")
    return dict(zip(("os", "architecture", "variant"), words, strict=False))


def _descriptor(content: bytes, media_type: str) -> dict[str, Any]:
    return Descriptor(Digest.of(content), len(content), media_type).to_dict()


def _more(annotations: Mapping[str, str] | None, subject: Descriptor | None) -> dict[str, Any]:
    said: dict[str, Any] = {"subject": subject.to_dict()} if subject is not None else {}
    return said | ({"annotations": dict(annotations)} if annotations else {})


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
