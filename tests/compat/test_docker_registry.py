"""The storage tree is registry:2's: Debian's docker-registry 2.8.2 and ours work on one directory, both ways.

Each test runs twice: ours writes and docker-registry reads, and the other way round.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from tests import storages
from tests.components import require
from tests.images import to_json
from tests.waiting import until
from tests.wire import ACCEPT_ALL, Client, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Serve
    from tests.servers import Server

OURS, THEIRS = "granian", "docker-registry"
ROOT = "docker/registry/v2"
NAME = "library/busy-box"

CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
LAYER = b"a layer, as far as a registry can tell"

CHILD_TYPES = {
    mediatypes.DOCKER_MANIFEST_LIST: mediatypes.DOCKER_MANIFEST,
    mediatypes.OCI_INDEX: mediatypes.OCI_MANIFEST,
}


# ── what is stored ────────────────────────────────────────────────────────────────────────────


def image(media_type: str) -> bytes:
    """Return a manifest of CONFIG and LAYER, indented as no serialiser of ours would write it."""
    config, layer = (
        {"mediaType": "application/octet-stream", "digest": digest_of(blob), "size": len(blob)}
        for blob in (CONFIG, LAYER)
    )
    document = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]}
    return json.dumps(document, indent=3).encode()


def index(media_type: str) -> bytes:
    child = image(CHILD_TYPES[media_type])
    entry = {
        "mediaType": CHILD_TYPES[media_type],
        "digest": digest_of(child),
        "size": len(child),
        "platform": {"architecture": "amd64", "os": "linux"},
    }
    return to_json({"schemaVersion": 2, "mediaType": media_type, "manifests": [entry]})


def push(client: Client, media_type: str, reference: str, name: str = NAME) -> bytes:
    """Push a manifest with all that it refers to, and return its bytes."""
    if media_type in CHILD_TYPES:
        payload = index(media_type)
        child = push(client, CHILD_TYPES[media_type], digest_of(image(CHILD_TYPES[media_type])), name)
        assert digest_of(child) in payload.decode()
    else:
        payload = image(media_type)
        for blob in (CONFIG, LAYER):
            client.push_blob(name, blob)
    assert client.push_manifest(name, reference, payload, media_type) == digest_of(payload)
    return payload


def tree(directory: Path) -> dict[str, bytes]:
    """Return the content of every file below the root of the storage tree; empty directories mean nothing."""
    return {path.removeprefix(f"/{ROOT}/"): content for path, content in storages.files_at(directory)}


def blob_path(digest: str) -> str:
    algorithm, _, hexadecimal = digest.partition(":")
    return f"blobs/{algorithm}/{hexadecimal[:2]}/{hexadecimal}/data"


def link_path(area: str, digest: str, name: str = NAME) -> str:
    return f"repositories/{name}/{area}/{digest.replace(':', '/')}/link"


# ── who stores and who serves ─────────────────────────────────────────────────────────────────


@dataclass
class Pair:
    """Two registries on one directory: what `writer` stores, `reader` has to serve."""

    writer: Client
    reader: Client
    directory: Path
    docker_registry: Server
    ours: Server

    @property
    def theirs_writes(self) -> bool:
        return self.writer.host == self.docker_registry.host

    def collect_garbage(self, *arguments: str) -> None:
        """Run docker-registry's own collector over the directory."""
        command = [require("docker-registry"), "garbage-collect", *arguments, str(self.docker_registry.config)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stderr

    def collect_garbage_with_ours(self, *arguments: str) -> None:
        """Run our own, which here is given no time to wait for others: both registries are idle."""
        command = [sys.executable, "-m", "registry_wsgi", "garbage-collect", "--offline", "--grace", "0s", *arguments]
        run = subprocess.run([*command, str(self.ours.config)], capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stderr


@pytest.fixture(params=[(OURS, THEIRS), (THEIRS, OURS)], ids=["ours writes", "docker-registry writes"])
def pair(request: pytest.FixtureRequest, serve: Serve, tmp_path: Path) -> Pair:
    # A cache of ours must not hide what the other registry did behind its back.
    cached = {"storage": {"cache": {"blobdescriptor": "inmemory"}}}
    ours, theirs = serve(tmp_path, sections=cached), serve(tmp_path, kind=THEIRS)
    clients = {OURS: Client(ours.url), THEIRS: Client(theirs.url)}
    writer, reader = request.param
    return Pair(clients[writer], clients[reader], tmp_path, theirs, ours)


def check_gone(client: Client, kind: str, reference: str) -> None:
    """Hold that it is not there: at once, or over a store when ours looks again at a link that it saw."""

    def gone() -> bool:
        return client.request("GET", f"/v2/{NAME}/{kind}/{reference}", headers=ACCEPT_ALL).status == 404

    if storages.is_chosen():
        until(gone, f"{kind}/{reference} is there")
    assert gone()


# ── one stores, the other serves ──────────────────────────────────────────────────────────────


def test_a_blob_that_one_stored_the_other_serves(pair: Pair) -> None:
    digest = pair.writer.push_blob(NAME, LAYER)
    for method, body in (("GET", LAYER), ("HEAD", b"")):
        answer = pair.reader.request(method, f"/v2/{NAME}/blobs/{digest}")
        assert (answer.status, answer.digest, answer.body) == (200, digest, body)
        assert answer.headers["Content-Length"] == str(len(LAYER))
        assert answer.headers["ETag"] == f'"{digest}"'
    assert pair.reader.blob("another/repository", digest).status == 404


def test_an_empty_blob_that_one_stored_the_other_serves(pair: Pair) -> None:
    if storages.is_chosen() and pair.theirs_writes:
        pytest.skip("docker-registry 2.8.2 stores no empty blob in S3: it completes uploads without a part")
    answer = pair.reader.blob(NAME, pair.writer.push_blob(NAME, b""))
    assert (answer.status, answer.body) == (200, b"")


def test_a_blob_pushed_by_sha512_is_served_by_both_its_names(pair: Pair) -> None:
    alias = f"sha512:{hashlib.sha512(LAYER).hexdigest()}"
    pair.writer.push_blob(NAME, LAYER, alias)
    for digest in (alias, digest_of(LAYER)):
        answer = pair.reader.blob(NAME, digest)
        assert (answer.status, answer.body) == (200, LAYER)


def test_a_blob_that_one_mounted_the_other_serves(pair: Pair) -> None:
    digest = pair.writer.push_blob("one", LAYER)
    answer = pair.writer.request("POST", f"/v2/two/blobs/uploads/?mount={digest}&from=one", b"")
    assert answer.status == 201
    assert pair.reader.blob("two", digest).body == LAYER


@pytest.mark.parametrize("media_type", sorted(mediatypes.MANIFESTS))
def test_a_manifest_that_one_stored_the_other_serves_by_tag_and_by_digest(pair: Pair, media_type: str) -> None:
    payload = push(pair.writer, media_type, "v1")
    for reference in ("v1", digest_of(payload)):
        answer = pair.reader.manifest(NAME, reference)
        assert (answer.status, answer.digest, answer.body) == (200, digest_of(payload), payload)
        assert answer.headers["Content-Type"] == media_type


def test_tags_and_repositories_that_one_made_the_other_lists(pair: Pair) -> None:
    for name in ("b", "a/b", "a"):
        push(pair.writer, mediatypes.OCI_MANIFEST, "v1", name)
    push(pair.writer, mediatypes.DOCKER_MANIFEST, "v2", "a")
    assert pair.reader.catalog() == ["a", "a/b", "b"]
    assert sorted(pair.reader.tags("a").json()["tags"]) == ["v1", "v2"]
    assert pair.reader.tags("b").json() == {"name": "b", "tags": ["v1"]}


def test_a_tag_that_one_moved_is_moved_for_the_other(pair: Pair) -> None:
    first = push(pair.writer, mediatypes.OCI_MANIFEST, "latest")
    assert pair.reader.manifest(NAME, "latest").digest == digest_of(first)
    second = push(pair.writer, mediatypes.DOCKER_MANIFEST, "latest")
    assert pair.reader.manifest(NAME, "latest").digest == digest_of(second)
    assert pair.reader.manifest(NAME, digest_of(first)).body == first


# ── one deletes, the other no longer serves ───────────────────────────────────────────────────


def test_a_blob_that_one_deleted_is_gone_for_the_other_until_it_is_pushed_again(pair: Pair) -> None:
    digest = pair.writer.push_blob(NAME, LAYER)
    assert pair.reader.blob(NAME, digest).status == 200
    assert pair.writer.delete(NAME, "blobs", digest) == 202
    check_gone(pair.reader, "blobs", digest)
    assert pair.reader.delete(NAME, "blobs", digest) == 404

    assert pair.reader.push_blob(NAME, LAYER) == digest
    assert pair.writer.blob(NAME, digest).body == LAYER


def test_what_one_stored_the_other_deletes(pair: Pair) -> None:
    payload = push(pair.writer, mediatypes.OCI_MANIFEST, "v1")
    assert pair.writer.manifest(NAME, "v1").status == 200
    assert pair.writer.blob(NAME, digest_of(LAYER)).status == 200
    assert pair.reader.delete(NAME, "manifests", digest_of(payload)) == 202
    assert pair.reader.delete(NAME, "blobs", digest_of(LAYER)) == 202
    for reference in ("v1", digest_of(payload)):
        check_gone(pair.writer, "manifests", reference)
    check_gone(pair.writer, "blobs", digest_of(LAYER))


def test_a_manifest_that_one_deleted_is_gone_for_the_other_with_its_tags(pair: Pair) -> None:
    kept = push(pair.writer, mediatypes.DOCKER_MANIFEST, "kept")
    for tag in ("v1", "v2"):
        gone = push(pair.writer, mediatypes.OCI_MANIFEST, tag)
    assert pair.reader.manifest(NAME, "v1").status == 200
    assert pair.writer.delete(NAME, "manifests", digest_of(gone)) == 202
    for reference in ("v1", "v2", digest_of(gone)):
        check_gone(pair.reader, "manifests", reference)
    # docker-registry deletes the tags' links, and SeaweedFS goes on listing the directories that these were in.
    left = pair.writer.tags(NAME).json()["tags"] if pair.theirs_writes and storages.is_chosen() else ["kept"]
    assert pair.reader.tags(NAME).json()["tags"] == left
    assert pair.reader.manifest(NAME, "kept").body == kept


# ── unfinished uploads and garbage ────────────────────────────────────────────────────────────


def test_an_upload_that_one_left_unfinished_does_not_trouble_the_other(pair: Pair) -> None:
    payload = push(pair.writer, mediatypes.OCI_MANIFEST, "v1")
    answer = pair.writer.request("PATCH", pair.writer.start_upload(NAME), LAYER[:10])
    assert answer.status == 202
    pair.writer.start_upload("only/begun")

    assert pair.reader.manifest(NAME, "v1").body == payload
    assert "only/begun" not in pair.reader.catalog()
    assert pair.reader.push_blob(NAME, b"another") == digest_of(b"another")
    assert pair.reader.push_blob("only/begun", LAYER) == digest_of(LAYER)

    location = answer.headers["Location"]
    separator = "&" if "?" in location else "?"
    finished = pair.writer.request("PUT", f"{location}{separator}digest={digest_of(LAYER)}", LAYER[10:])
    assert finished.status == 201


@pytest.mark.parametrize("collect", [Pair.collect_garbage, Pair.collect_garbage_with_ours], ids=["theirs", "ours"])
def test_a_garbage_collection_keeps_what_is_referred_to_and_removes_the_rest(
    pair: Pair, collect: Callable[[Pair], None]
) -> None:
    payloads = {media_type: push(pair.writer, media_type, f"v{n}") for n, media_type in enumerate(CHILD_TYPES)}
    orphan = pair.writer.push_blob(NAME, b"no manifest refers to this")
    pair.writer.request("PATCH", pair.writer.start_upload(NAME), LAYER[:10])

    collect(pair)

    files = tree(pair.directory)
    assert blob_path(orphan) not in files
    for payload in payloads.values():
        assert pair.reader.manifest(NAME, digest_of(payload)).body == payload
        child = json.loads(payload)["manifests"][0]["digest"]
        assert pair.reader.manifest(NAME, child).status == 200
    for blob in (CONFIG, LAYER):
        assert pair.reader.blob(NAME, digest_of(blob)).body == blob
    # docker-registry's leaves the link to the orphan: the blob has to be unknown all the same, and pushed anew.
    assert pair.reader.blob(NAME, orphan).status == 404
    assert pair.writer.blob(NAME, orphan).status == 404
    assert pair.writer.push_blob(NAME, b"no manifest refers to this") == orphan
    assert pair.reader.blob(NAME, orphan).status == 200


def test_a_referrer_that_docker_registrys_collection_has_deleted_is_not_listed(pair: Pair) -> None:
    """It knows of no subjects, and deletes what has no tag."""
    payload = push(pair.writer, mediatypes.OCI_MANIFEST, "v1")
    subject = {"mediaType": mediatypes.OCI_MANIFEST, "digest": digest_of(payload), "size": len(payload)}
    document = {**json.loads(payload), "subject": subject, "artifactType": "application/x"}
    signature = to_json(document)
    ours = Client(pair.ours.url)
    ours.push_manifest(NAME, digest_of(signature), signature, mediatypes.OCI_MANIFEST)
    referrers = f"/v2/{NAME}/referrers/{digest_of(payload)}"
    assert len(ours.request("GET", referrers).json()["manifests"]) == 1
    pair.collect_garbage_with_ours("--delete-untagged")
    assert len(ours.request("GET", referrers).json()["manifests"]) == 1
    pair.collect_garbage("--delete-untagged")
    assert ours.request("GET", referrers).json()["manifests"] == []
    assert ours.manifest(NAME, digest_of(signature)).status == 404
    for client in (pair.writer, pair.reader):
        assert client.manifest(NAME, "v1").body == payload
        assert client.blob(NAME, digest_of(LAYER)).body == LAYER
    ours.push_manifest(NAME, digest_of(signature), signature, mediatypes.OCI_MANIFEST)
    assert len(ours.request("GET", referrers).json()["manifests"]) == 1


# ── the tree itself, file by file: the same whichever of the two wrote it ─────────────────────


@pytest.fixture(params=[OURS, THEIRS])
def alone(request: pytest.FixtureRequest, serve: Serve, tmp_path: Path) -> Client:
    """Return a client of one registry that has `tmp_path` for itself."""
    return Client(serve(tmp_path, kind=request.param).url)


def test_an_image_makes_exactly_these_files(alone: Client, tmp_path: Path) -> None:
    payload = push(alone, mediatypes.OCI_MANIFEST, "v1")
    digest = digest_of(payload)
    tag = "_manifests/tags/v1"
    blobs = {blob_path(digest_of(blob)): blob for blob in (CONFIG, LAYER, payload)}
    links = {
        link_path("_layers", digest_of(CONFIG)): digest_of(CONFIG),
        link_path("_layers", digest_of(LAYER)): digest_of(LAYER),
        link_path("_manifests/revisions", digest): digest,
        link_path(f"{tag}/index", digest): digest,
        f"repositories/{NAME}/{tag}/current/link": digest,
    }
    # A link's content is the digest and nothing else: no newline, no JSON.
    assert tree(tmp_path) == blobs | {path: target.encode() for path, target in links.items()}


def test_a_moved_tag_keeps_its_history_and_a_deleted_one_leaves_none(alone: Client, tmp_path: Path) -> None:
    first = push(alone, mediatypes.OCI_MANIFEST, "v1")
    second = push(alone, mediatypes.DOCKER_MANIFEST, "v1")

    def tag_files() -> dict[str, str]:
        return {path: content.decode() for path, content in tree(tmp_path).items() if "/tags/" in path}

    history = {link_path("_manifests/tags/v1/index", digest_of(p)): digest_of(p) for p in (first, second)}
    current = {f"repositories/{NAME}/_manifests/tags/v1/current/link": digest_of(second)}
    assert tag_files() == history | current

    assert alone.delete(NAME, "manifests", digest_of(second)) == 202
    assert tag_files() == {}
    assert link_path("_manifests/revisions", digest_of(first)) in tree(tmp_path)
    assert link_path("_manifests/revisions", digest_of(second)) not in tree(tmp_path)


def test_an_alias_digest_makes_two_links_to_the_canonical_one(alone: Client, tmp_path: Path) -> None:
    alias, canonical = f"sha512:{hashlib.sha512(LAYER).hexdigest()}", digest_of(LAYER)
    alone.push_blob(NAME, LAYER, alias)
    assert tree(tmp_path) == {
        blob_path(canonical): LAYER,
        link_path("_layers", canonical): canonical.encode(),
        link_path("_layers", alias): canonical.encode(),
    }


def test_a_deleted_blob_loses_its_link_and_keeps_its_data(alone: Client, tmp_path: Path) -> None:
    digest = alone.push_blob(NAME, LAYER)
    assert alone.delete(NAME, "blobs", digest) == 202
    assert tree(tmp_path) == {blob_path(digest): LAYER}


def test_an_upload_has_its_data_and_its_start_in_its_directory_until_it_ends(alone: Client, tmp_path: Path) -> None:
    answer = alone.request("PATCH", alone.start_upload(NAME), LAYER)
    upload = f"repositories/{NAME}/_uploads/{answer.headers['Docker-Upload-UUID']}"
    files = tree(tmp_path)
    if not storages.is_chosen():  # a store shows content when it is whole
        assert files[f"{upload}/data"] == LAYER
    # RFC 3339 in UTC and whole seconds, without a newline, or the purger of registry:2 stumbles over it.
    started = files[f"{upload}/startedat"].decode()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", started)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(started)) < timedelta(minutes=1)

    assert alone.request("DELETE", answer.headers["Location"]).status == 204
    # docker-registry writes one of its hash states after the deletion.
    assert [path for path in tree(tmp_path) if "/hashstates/" not in path] == []
