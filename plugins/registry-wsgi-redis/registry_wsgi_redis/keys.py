"""Where things are in Redis: the keys of registry:2 and registry:3, so that all can share one server.

    blobs::<digest>                        hash: digest, size, mediatype   what is known of a digest anywhere
    repository::<name>::blobs              set of digests                  what the repository has
    repository::<name>::blobs::<digest>    hash: mediatype, digest, size   what it is there
    link::<path>                           `there`, `gone`                 what was seen of a link in storage; expires

Only the set tells what a repository has; an entry of the first kind grants nothing. `digest` and `size` of the third
one are ours: with them a repository keeps what it was told, whatever other repositories delete. So is the last one.
"""

from __future__ import annotations

from dataclasses import dataclass

DIGEST = "digest"
SIZE = "size"
MEDIA_TYPE = "mediatype"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys. In a Cluster the name is a hash tag, `repository::{<name>}::…`: one node has all of a repository."""

    tagged: bool = False

    def blob(self, digest: str) -> str:
        return f"blobs::{digest}"

    def members(self, name: str) -> str:
        return f"repository::{self._tag(name)}::blobs"

    def member(self, name: str, digest: str) -> str:
        return f"repository::{self._tag(name)}::blobs::{digest}"

    def link(self, path: str) -> str:
        return f"link::{path}"

    def _tag(self, name: str) -> str:
        return f"{{{name}}}" if self.tagged else name
