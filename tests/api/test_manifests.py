"""Manifests of all types, by tag and by digest (end-3, end-7, end-9)."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.context import Context
from registry_wsgi.reference import Tag
from registry_wsgi.storage import paths
from tests import storages
from tests.api.inprocess import InProcess
from tests.stack import image_manifest, stack_over
from tests.wire import Response, digest_of

NAME = "a/b"
CONFIG, LAYER = b"{}", b"layer"


def document(media_type: str, **members: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": media_type} | members, indent=3).encode()


def descriptor(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "size": len(content), "digest": digest_of(content)}


IMAGE = image_manifest(digest_of(CONFIG), digest_of(LAYER))
INDEX = document(mediatypes.OCI_INDEX, manifests=[descriptor(IMAGE, mediatypes.OCI_MANIFEST)])
MANIFESTS = {
    mediatypes.OCI_MANIFEST: IMAGE,
    mediatypes.OCI_INDEX: INDEX,
    mediatypes.DOCKER_MANIFEST: document(
        mediatypes.DOCKER_MANIFEST,
        config=descriptor(CONFIG, "application/vnd.docker.container.image.v1+json"),
        layers=[descriptor(LAYER, "application/vnd.docker.image.rootfs.diff.tar.gzip")],
    ),
    mediatypes.DOCKER_MANIFEST_LIST: document(
        mediatypes.DOCKER_MANIFEST_LIST, manifests=[descriptor(IMAGE, mediatypes.OCI_MANIFEST)]
    ),
}
EACH_TYPE = pytest.mark.parametrize("media_type", MANIFESTS)


@pytest.fixture
def image(client: InProcess) -> InProcess:
    """A client of a repository with an image, by its digest alone."""
    client.push_blob(NAME, CONFIG)
    client.push_blob(NAME, LAYER)
    client.push_manifest(NAME, digest_of(IMAGE), IMAGE, mediatypes.OCI_MANIFEST)
    return client


def put(client: InProcess, reference: str, payload: bytes, media_type: str = mediatypes.OCI_MANIFEST) -> Response:
    return client.request("PUT", f"/v2/{NAME}/manifests/{reference}", payload, {"Content-Type": media_type})


# ── writing and reading ───────────────────────────────────────────────────────────────────────


@EACH_TYPE
def test_a_manifest_comes_back_byte_by_byte_and_with_its_type(image: InProcess, media_type: str) -> None:
    payload = MANIFESTS[media_type]
    digest = digest_of(payload)
    pushed = put(image, "v1", payload, media_type)
    assert (pushed.status, pushed.body, pushed.digest) == (201, b"", digest)
    assert urlsplit(pushed.headers["Location"]).path == f"/v2/{NAME}/manifests/{digest}"
    for reference in ("v1", digest):
        answer = image.manifest(NAME, reference)
        assert (answer.status, answer.body) == (200, payload)
        # Asked by digest, what is Docker's own is the same for every client.
        varies = reference == "v1" or media_type in (mediatypes.OCI_MANIFEST, mediatypes.OCI_INDEX)
        assert dict(answer.headers) == {
            **({"Vary": "Accept"} if varies else {}),
            "Docker-Content-Digest": digest,
            "ETag": f'"{digest}"',
            "Content-Type": media_type,
            "Content-Length": str(len(payload)),
            "Docker-Distribution-API-Version": "registry/2.0",
        }


@EACH_TYPE
def test_a_manifest_can_be_pushed_by_its_digest(image: InProcess, media_type: str) -> None:
    payload = MANIFESTS[media_type]
    assert put(image, digest_of(payload), payload, media_type).status == 201
    assert image.manifest(NAME, digest_of(payload)).body == payload


@pytest.mark.parametrize("reference", ["v1", digest_of(IMAGE)], ids=["tag", "digest"])
def test_head_has_the_headers_of_get_and_no_body(image: InProcess, reference: str) -> None:
    put(image, "v1", IMAGE)
    head = image.request("HEAD", f"/v2/{NAME}/manifests/{reference}")
    assert (head.status, head.body) == (200, b"")
    assert dict(head.headers) == dict(image.manifest(NAME, reference).headers)


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "application/octet-stream", f"{mediatypes.OCI_MANIFEST}; charset=utf-8"],
)
def test_the_document_tells_its_type_where_the_content_type_does_not(image: InProcess, content_type: str) -> None:
    assert put(image, "v1", IMAGE, content_type).status == 201
    assert image.manifest(NAME, "v1").headers["Content-Type"] == mediatypes.OCI_MANIFEST


@pytest.mark.parametrize("media_type", [mediatypes.OCI_MANIFEST, mediatypes.OCI_INDEX])
def test_an_oci_document_need_not_say_its_type(image: InProcess, media_type: str) -> None:
    members = json.loads(MANIFESTS[media_type])
    del members["mediaType"]
    assert put(image, "v1", json.dumps(members).encode(), media_type).status == 201
    assert image.manifest(NAME, "v1").headers["Content-Type"] == media_type


def test_a_manifest_may_be_sent_chunked(image: InProcess) -> None:
    headers = {"Content-Type": mediatypes.OCI_MANIFEST}
    answer = image.request("PUT", f"/v2/{NAME}/manifests/v1", iter([IMAGE[:9], IMAGE[9:]]), headers)
    assert (answer.status, answer.digest) == (201, digest_of(IMAGE))


def test_a_manifest_of_four_mebibytes_is_taken(image: InProcess) -> None:
    payload = IMAGE + b" " * (4 * 1024 * 1024 - len(IMAGE))
    assert put(image, "v1", payload).status == 201
    assert image.manifest(NAME, "v1").body == payload


@pytest.mark.parametrize(
    "members",
    [
        {"layers": []},
        {"artifactType": "application/vnd.example"},
        {"annotations": {"a": "ä"}, "unknown": [None, 1.5]},
        {"subject": {"mediaType": mediatypes.OCI_MANIFEST, "size": 7, "digest": digest_of(b"not here")}},
        {
            "layers": [
                {
                    "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                    "size": 9,
                    "digest": digest_of(b"elsewhere"),
                    "urls": ["https://example.com/layer"],
                }
            ]
        },
    ],
    ids=["no layers", "an artifact", "annotations and more", "a subject that is missing", "a foreign layer"],
)
def test_what_oci_allows_is_taken(image: InProcess, members: dict[str, Any]) -> None:
    payload = image_manifest(digest_of(CONFIG), **members)
    assert put(image, "v1", payload).status == 201
    assert image.manifest(NAME, "v1").body == payload


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_a_manifest_is_served_under_the_clients_digest_and_the_canonical_one(image: InProcess, algorithm: str) -> None:
    digest = f"{algorithm}:{hashlib.new(algorithm, INDEX).hexdigest()}"
    pushed = put(image, digest, INDEX, mediatypes.OCI_INDEX)
    assert (pushed.status, pushed.digest) == (201, digest)
    for name in (digest, digest_of(INDEX)):
        answer = image.manifest(NAME, name)
        assert (answer.status, answer.body, answer.digest) == (200, INDEX, name)


@pytest.mark.parametrize("etag", ['"{}"', "{}", 'W/"{}"', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_manifest_that_the_client_has_is_not_sent_again(image: InProcess, method: str, etag: str) -> None:
    put(image, "v1", IMAGE)
    headers = {"If-None-Match": etag.format(digest_of(IMAGE))}
    answer = image.request(method, f"/v2/{NAME}/manifests/v1", headers=headers)
    assert (answer.status, answer.body, answer.digest) == (304, b"", digest_of(IMAGE))


def test_a_manifest_that_is_not_there_is_unknown_whatever_the_client_has(client: InProcess) -> None:
    digest = digest_of(IMAGE)
    headers = {"If-None-Match": f'"{digest}"'}
    assert client.request("GET", f"/v2/{NAME}/manifests/{digest}", headers=headers).status == 404


def test_a_layer_is_no_manifest(image: InProcess) -> None:
    answer = image.manifest(NAME, digest_of(LAYER))
    assert (answer.status, answer.json()["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")


def test_a_manifest_is_no_blob(image: InProcess) -> None:
    assert image.blob(NAME, digest_of(IMAGE)).status == 404


# ── tags ──────────────────────────────────────────────────────────────────────────────────────


def test_a_tag_moves_to_what_was_pushed_last(image: InProcess) -> None:
    put(image, "v1", IMAGE)
    put(image, "v1", INDEX, mediatypes.OCI_INDEX)
    assert image.manifest(NAME, "v1").body == INDEX
    assert image.manifest(NAME, digest_of(IMAGE)).body == IMAGE


@pytest.mark.parametrize("tag", ["a", "_", "A.b-C_9", "0" * 128])
def test_every_tag_of_the_grammar_will_do(image: InProcess, tag: str) -> None:
    assert put(image, tag, IMAGE).status == 201
    assert image.manifest(NAME, tag).body == IMAGE


# ── deletion ──────────────────────────────────────────────────────────────────────────────────


def test_deleting_a_tag_leaves_the_manifest_and_its_other_tags(image: InProcess) -> None:
    for tag in ("v1", "v2"):
        put(image, tag, IMAGE)
    answer = image.request("DELETE", f"/v2/{NAME}/manifests/v1")
    assert (answer.status, answer.body) == (202, b"")
    assert image.manifest(NAME, "v1").status == 404
    assert image.delete(NAME, "manifests", "v1") == 404
    assert image.manifest(NAME, "v2").body == IMAGE
    assert image.manifest(NAME, digest_of(IMAGE)).body == IMAGE


def test_deleting_a_manifest_deletes_the_tags_that_point_at_it_and_no_others(image: InProcess) -> None:
    for tag in ("v1", "v2"):
        put(image, tag, IMAGE)
    put(image, "other", INDEX, mediatypes.OCI_INDEX)
    assert image.delete(NAME, "manifests", digest_of(IMAGE)) == 202
    for reference in ("v1", "v2", digest_of(IMAGE)):
        assert image.manifest(NAME, reference).status == 404
    assert image.delete(NAME, "manifests", digest_of(IMAGE)) == 404
    assert image.tags(NAME).json()["tags"] == ["other"]
    assert image.manifest(NAME, "other").body == INDEX


def test_a_damaged_tag_keeps_no_manifest_from_being_deleted() -> None:
    driver = storages.new_driver()
    image = InProcess(stack_over(driver))
    for content in (CONFIG, LAYER):
        image.push_blob(NAME, content)
    for tag in ("v1", "v2"):
        put(image, tag, IMAGE)
    damaged = paths.tag_current_link(NAME, Tag("v1"))
    driver.put_content(Context(), damaged, b"damaged")
    assert image.delete(NAME, "manifests", digest_of(IMAGE)) == 202
    assert image.manifest(NAME, digest_of(IMAGE)).status == 404
    assert image.manifest(NAME, "v2").status == 404
    assert driver.get_content(Context(), damaged) == b"damaged"


def test_a_deleted_manifest_is_there_again_when_it_is_pushed_again(image: InProcess) -> None:
    put(image, "v1", IMAGE)
    image.delete(NAME, "manifests", digest_of(IMAGE))
    assert put(image, "v1", IMAGE).status == 201
    assert image.manifest(NAME, "v1").body == IMAGE
    assert image.manifest(NAME, digest_of(IMAGE)).body == IMAGE


def test_deleting_a_manifest_leaves_its_blobs_and_other_repositories(image: InProcess) -> None:
    for content in (CONFIG, LAYER):
        image.push_blob("other", content)
    image.push_manifest("other", "v1", IMAGE, mediatypes.OCI_MANIFEST)
    assert image.delete(NAME, "manifests", digest_of(IMAGE)) == 202
    assert image.blob(NAME, digest_of(LAYER)).body == LAYER
    assert image.manifest("other", "v1").body == IMAGE


def test_a_manifest_known_by_a_sha512_digest_is_deleted_under_it_with_its_tags(image: InProcess) -> None:
    digest = f"sha512:{hashlib.sha512(INDEX).hexdigest()}"
    put(image, digest, INDEX, mediatypes.OCI_INDEX)
    put(image, "v1", INDEX, mediatypes.OCI_INDEX)
    assert image.delete(NAME, "manifests", digest) == 202
    assert image.manifest(NAME, digest).status == 404
    assert image.manifest(NAME, "v1").status == 404
