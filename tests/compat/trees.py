"""Storage trees as the releases of docker-registry wrote them, made file by file.

    release   manifests linked in       signatures                 manifests
    2.0       _manifests/revisions      under the revision         schema 1
    2.1.0     _layers, by a mistake     under the revision still   schema 1
    2.2       _manifests/revisions      under the revision         schema 1
    2.3, 2.4  _manifests/revisions      under the revision         all
    2.5 on    _manifests/revisions      none: signed when served   all

A link holds a digest and nothing else. Paths are written out here, and not taken from the code under test.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from registry_wsgi import mediatypes
from tests.schema1 import payload
from tests.wire import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from registry_wsgi.manifests.signing import LibtrustSigner

RELEASES = ("2.0", "2.1.0", "2.2", "2.4", "2.8")
WITH_SCHEMA_2 = ("2.4", "2.8")
WITHOUT_SIGNATURES = ("2.8",)

CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
UPPER, LOWER = b"the upper layer", b"the lower layer"
SCHEMA_2 = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": mediatypes.DOCKER_MANIFEST,
        "config": {"mediaType": "application/octet-stream", "size": len(CONFIG), "digest": digest_of(CONFIG)},
        "layers": [{"mediaType": "application/octet-stream", "size": len(LOWER), "digest": digest_of(LOWER)}],
    },
    indent=3,
).encode()


@dataclass
class Tree:
    """A tree in `directory` with one repository: schema 1 under the tags `old` and `older`, schema 2 under `new`."""

    directory: Path
    release: str
    name: str
    tags: dict[str, bytes] = field(default_factory=dict)
    signatures: list[bytes] = field(default_factory=list)

    @property
    def repository(self) -> Path:
        return self.directory / "docker/registry/v2/repositories" / self.name

    @property
    def manifest_links(self) -> str:
        return "_layers" if self.release == "2.1.0" else "_manifests/revisions"

    def blob(self, content: bytes) -> str:
        digest = digest_of(content)
        hexadecimal = digest.removeprefix("sha256:")
        self._write(
            self.directory / "docker/registry/v2/blobs/sha256" / hexadecimal[:2] / hexadecimal / "data", content
        )
        return digest

    def link(self, place: str, digest: str) -> Path:
        """Return the link of a digest in a place of the repository."""
        return self.repository / place / digest.replace(":", "/") / "link"

    def write_link(self, place: str, digest: str) -> None:
        self._write(self.link(place, digest), digest.encode())

    def layer(self, content: bytes) -> str:
        digest = self.blob(content)
        self.write_link("_layers", digest)
        return digest

    def manifest(self, tag: str, content: bytes, signatures: Iterable[bytes] = ()) -> str:
        digest = self.blob(content)
        self.write_link(self.manifest_links, digest)
        for signature in signatures:
            place = f"_manifests/revisions/{digest.replace(':', '/')}/signatures"
            self.write_link(place, self.blob(signature))
        self.write_link(f"_manifests/tags/{tag}/index", digest)
        self._write(self.repository / f"_manifests/tags/{tag}/current/link", digest.encode())
        self.tags[tag] = content
        return digest

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def make(directory: Path, release: str, signers: Iterable[LibtrustSigner], name: str = "library/hello") -> Tree:
    """Write a tree of a release into `directory`. Each of `signers` has pushed `old`, so its signature is stored."""
    tree = Tree(directory, release, name)
    layers = [tree.layer(UPPER), tree.layer(LOWER)]
    content = payload(name, layers, "old")
    tree.signatures = [] if release in WITHOUT_SIGNATURES else [each.sign(content) for each in signers]
    tree.manifest("older", payload(name, layers[1:], "older"), [])
    tree.manifest("old", content, tree.signatures)
    if release in WITH_SCHEMA_2:
        tree.layer(CONFIG)
        tree.manifest("new", SCHEMA_2)
    if release == "2.0":
        # A checksum of another kind that 2.0 knew a layer by, too.
        alias = tree.repository / "_layers/tarsum/v1/sha256" / hashlib.sha256(b"tarsum").hexdigest() / "link"
        tree._write(alias, layers[0].encode())
    return tree
