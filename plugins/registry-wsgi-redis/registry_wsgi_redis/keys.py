"""Where things are in Redis: the keys of registry:2 and registry:3, so that all can share one server.

    blobs::<digest>                        hash: digest, size, mediatype   what is known of a digest anywhere
    repository::<name>::blobs              set of digests                  what the repository has
    repository::<name>::blobs::<digest>    hash: mediatype                 what it is called there

Only the set tells what a repository has; an entry of the first kind grants nothing.
"""

from __future__ import annotations

DIGEST = "digest"
SIZE = "size"
MEDIA_TYPE = "mediatype"


def blob(digest: str) -> str:
    return f"blobs::{digest}"


def members(name: str) -> str:
    return f"repository::{name}::blobs"


def member(name: str, digest: str) -> str:
    return f"repository::{name}::blobs::{digest}"
