"""The storage tree of Docker's registry, version 2, which this registry shares with it.

    /docker/registry/v2
    ├── blobs/<algorithm>/<first two hex digits>/<hex>/data
    └── repositories/<name>/
        ├── _layers/<algorithm>/<hex>/link              the repository has this blob
        ├── _manifests/
        │   ├── revisions/<algorithm>/<hex>/link        … this manifest
        │   │       └── signatures/sha256/<hex>/link    … with this signature, of schema 1
        │   ├── referrers/<algorithm>/<hex>/<sha256>/link   ours: a manifest whose subject is this digest
        │   └── tags/<tag>/
        │       ├── current/link                        where the tag points
        │       └── index/<algorithm>/<hex>/link        where it ever pointed
        └── _uploads/<uuid>/
            ├── data                                    the bytes so far
            ├── startedat                               RFC 3339, UTC, whole seconds
            └── progress                                ours: see hashing.py

A link file holds a digest and nothing else. The link of a digest of another algorithm holds the
sha256 that names the blob. Names of directories that are not a component of a repository's
name begin with `_`, which no component can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry_wsgi.descriptor import Digest
    from registry_wsgi.reference import Tag

ROOT = "/docker/registry/v2"
REPOSITORIES = f"{ROOT}/repositories"

PURGE_TURN = "/registry-wsgi/uploadpurging/turn"
"""Held by the process that purges uploads; beside the shared tree, where no other registry looks."""
PURGE_DONE = "/registry-wsgi/uploadpurging/done"
"""Written when a purge has ended."""

COLLECTION = "/registry-wsgi/garbagecollection"
"""What a garbage collection and the writers beside it tell each other; see collection.py."""
COLLECTION_TURN = f"{COLLECTION}/turn"
COLLECTION_RUNNING = f"{COLLECTION}/running"


def blob_data(digest: Digest) -> str:
    algorithm, _, hexadecimal = digest.partition(":")
    return f"{ROOT}/blobs/{algorithm}/{hexadecimal[:2]}/{hexadecimal}/data"


def blobs(algorithm: str) -> str:
    return f"{ROOT}/blobs/{algorithm}"


def collection_kept(digest: Digest) -> str:
    return f"{COLLECTION}/kept/{digest.replace(':', '/')}"


def collection_deleting(digest: Digest) -> str:
    return f"{COLLECTION}/deleting/{digest.replace(':', '/')}"


def repository(name: str) -> str:
    return f"{REPOSITORIES}/{name}"


def layers(name: str) -> str:
    return f"{REPOSITORIES}/{name}/_layers"


def layer_link(name: str, digest: Digest) -> str:
    return f"{REPOSITORIES}/{name}/_layers/{digest.replace(':', '/')}/link"


def is_layer_link(path: str) -> bool:
    """Tell a link of `layer_link` from those of manifests and tags; no name of a repository has `_` at a start."""
    return "/_layers/" in path


def manifests(name: str) -> str:
    return f"{REPOSITORIES}/{name}/_manifests"


def revision_link(name: str, digest: Digest) -> str:
    return f"{REPOSITORIES}/{name}/_manifests/revisions/{digest.replace(':', '/')}/link"


def revisions(name: str) -> str:
    return f"{REPOSITORIES}/{name}/_manifests/revisions"


def signatures(name: str, digest: Digest) -> str:
    return f"{REPOSITORIES}/{name}/_manifests/revisions/{digest.replace(':', '/')}/signatures/sha256"


def signature_link(name: str, digest: Digest, signature: Digest) -> str:
    return f"{signatures(name, digest)}/{signature.partition(':')[2]}/link"


def referrers(name: str, subject: Digest) -> str:
    return f"{REPOSITORIES}/{name}/_manifests/referrers/{subject.replace(':', '/')}"


def referrer(name: str, subject: Digest, digest: Digest) -> str:
    return f"{referrers(name, subject)}/{digest.partition(':')[2]}"


def referrer_link(name: str, subject: Digest, digest: Digest) -> str:
    return f"{referrer(name, subject, digest)}/link"


def tags(name: str) -> str:
    return f"{REPOSITORIES}/{name}/_manifests/tags"


def tag(name: str, tag: Tag) -> str:
    return f"{REPOSITORIES}/{name}/_manifests/tags/{tag}"


def tag_current_link(name: str, tag: Tag) -> str:
    return f"{REPOSITORIES}/{name}/_manifests/tags/{tag}/current/link"


def tag_index_link(name: str, tag: Tag, digest: Digest) -> str:
    return f"{REPOSITORIES}/{name}/_manifests/tags/{tag}/index/{digest.replace(':', '/')}/link"


def upload(name: str, upload_id: str) -> str:
    return f"{REPOSITORIES}/{name}/_uploads/{upload_id}"


def upload_data(name: str, upload_id: str) -> str:
    return f"{upload(name, upload_id)}/data"


def upload_started_at(name: str, upload_id: str) -> str:
    return f"{upload(name, upload_id)}/startedat"


def upload_progress(name: str, upload_id: str) -> str:
    return f"{upload(name, upload_id)}/progress"
