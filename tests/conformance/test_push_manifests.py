"""Pushing manifests (end-7a), with tags in the query (end-7b), and with a subject."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from registry_wsgi import mediatypes
from tests.conformance.target import (
    CONFIG,
    EMPTY_JSON,
    LAYER,
    SBOM,
    Repo,
    codes,
    descriptor,
    digest_of,
    image_of,
    index_of,
    random_blob,
    unknown_digest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.wire import Response

endpoint = pytest.mark.endpoint

MEGABYTES_4 = 4_000_000
MEBIBYTES_4 = 4 * 1024 * 1024


def assert_pullable(repo: Repo, answer: Response, payload: bytes, algorithm: str = "sha256") -> None:
    """Check that a push answered with 201 and a Location from which the very bytes come back."""
    assert answer.status == 201, (answer.status, answer.body)
    pulled = repo.client.request(
        "GET", answer.headers["Location"], headers={"Accept": json.loads(payload)["mediaType"]}
    )
    assert (pulled.status, pulled.body) == (200, payload)
    assert answer.digest in (None, digest_of(payload, algorithm))


@endpoint("end-7a", "MUST")
def test_end_7a_a_push_by_tag_answers_201_and_a_location_to_pull_from(repo: Repo) -> None:
    payload = repo.image()
    assert_pullable(repo, repo.put("v1", payload), payload)
    assert repo.manifest("v1").body == payload


@endpoint("end-7a", "MUST")
def test_end_7a_a_push_by_digest_answers_201_and_a_location_to_pull_from(repo: Repo) -> None:
    payload = repo.image()
    assert_pullable(repo, repo.put(digest_of(payload), payload), payload)


@endpoint("end-7a", "MUST")
def test_end_7a_the_digest_of_the_answer_is_the_clients(repo: Repo) -> None:
    payload = repo.image()
    for reference in ("v1", digest_of(payload)):
        assert repo.put(reference, payload).digest == digest_of(payload)


@endpoint("end-7a", "MUST")
def test_end_7a_a_digest_that_is_not_the_manifests_is_400_and_stores_nothing(repo: Repo) -> None:
    payload = repo.image()
    repo.assert_refused(repo.put(digest_of(payload), payload + b"  "), 400, "DIGEST_INVALID")
    assert repo.manifest(digest_of(payload)).status == 404
    assert repo.manifest(digest_of(payload + b"  ")).status == 404


@pytest.mark.parametrize("reference", ["sha256:baddigeststring", "md5:" + "0" * 32])
@endpoint("end-7a", "MUST")
def test_end_7a_a_digest_that_is_none_is_400(repo: Repo, reference: str) -> None:
    repo.assert_refused(repo.put(reference, repo.image()), 400, "DIGEST_INVALID")


@pytest.mark.parametrize("reference", [".v1", "-v1", "a" * 129])
@endpoint("end-7a", "MUST")
def test_end_7a_a_tag_outside_of_the_grammar_is_refused(repo: Repo, reference: str) -> None:
    repo.assert_refused(repo.put(reference, repo.image()), (400, 404))


@endpoint("end-7a", "MUST")
def test_end_7a_a_tag_moves_to_what_is_pushed_last(repo: Repo) -> None:
    first, _ = repo.push_image("v1")
    second, payload = repo.push_image("v1")
    assert repo.manifest("v1").body == payload
    assert {repo.manifest(digest).status for digest in (first, second)} == {200}


@endpoint("end-7a", "SHOULD")
def test_end_7a_parameters_of_the_content_type_are_ignored(repo: Repo) -> None:
    payload = repo.image()
    answer = repo.put("v1", payload, f"{mediatypes.OCI_MANIFEST}; charset=utf-8")
    assert_pullable(repo, answer, payload)


@pytest.mark.parametrize("payload", [b"", b"blablabla", b"[]", b"{}", b'{"schemaVersion": 2'])
@endpoint("end-7a", "MUST")
def test_end_7a_what_is_no_manifest_is_400_and_says_so(repo: Repo, payload: bytes) -> None:
    answer = repo.put("v1", payload, mediatypes.OCI_MANIFEST)
    repo.assert_refused(answer, 400, "MANIFEST_INVALID")
    assert repo.manifest("v1").status == 404


# ── what a manifest may be ────────────────────────────────────────────────────────────────────


def _custom_types(repo: Repo) -> bytes:
    repo.push_blob(b"custom")
    return image_of(
        EMPTY_JSON,
        artifactType=SBOM,
        config=descriptor(EMPTY_JSON, "application/vnd.example.config+json"),
        layers=[descriptor(b"custom", "text/x.custom; of=this")],
    )


def _empty_config(repo: Repo) -> bytes:
    empty = descriptor(EMPTY_JSON, "application/vnd.oci.empty.v1+json", data=base64.b64encode(EMPTY_JSON).decode())
    return image_of(EMPTY_JSON, artifactType=SBOM, config=empty, layers=[empty])


def _data_fields(repo: Repo) -> bytes:
    layer = random_blob(64)
    repo.push_blob(layer)
    data = base64.b64encode(layer).decode()
    return image_of(EMPTY_JSON, layers=[descriptor(layer, LAYER, data=data, annotations={"a": "b"})])


def _foreign_layers(repo: Repo) -> bytes:
    absent = {"digest": unknown_digest(), "size": 123456, "urls": ["https://store.example.com/blobs/1"]}
    types = ("application/vnd.oci.image.layer.nondistributable.v1.tar", "")
    return image_of(EMPTY_JSON, layers=[{**absent, "mediaType": f"{types[0]}{suffix}"} for suffix in ("", "+gzip")])


def _docker_image(repo: Repo) -> bytes:
    return image_of(
        EMPTY_JSON,
        mediaType=mediatypes.DOCKER_MANIFEST,
        config=descriptor(EMPTY_JSON, "application/vnd.docker.container.image.v1+json"),
    )


def _docker_list(repo: Repo) -> bytes:
    child = _docker_image(repo)
    repo.push(digest_of(child), child)
    entry = descriptor(child, mediatypes.DOCKER_MANIFEST, platform={"architecture": "amd64", "os": "linux"})
    return index_of(mediaType=mediatypes.DOCKER_MANIFEST_LIST, manifests=[entry])


def _index_of_indexes(repo: Repo) -> bytes:
    return index_of(repo.push_index()[1], repo.push_index()[1])


MANIFESTS: dict[str, Callable[[Repo], bytes]] = {
    "an empty list of layers": lambda repo: image_of(EMPTY_JSON),
    "custom types of artifact, config and layer": _custom_types,
    "the empty config and the empty layer": _empty_config,
    "data fields": _data_fields,
    "annotations": lambda repo: image_of(EMPTY_JSON, annotations={"org.example/ä": "<&> \U0001f40b", "empty": ""}),
    "members the specification does not know": lambda repo: image_of(EMPTY_JSON, x={"y": [1, None, 2.50, "ü"]}),
    "layers that may not be distributed": _foreign_layers,
    "an index without manifests": lambda repo: index_of(),
    "an index of an artifact type": lambda repo: index_of(repo.push_image()[1], artifactType=SBOM),
    "an index of indexes": _index_of_indexes,
    "a docker image": _docker_image,
    "a docker manifest list": _docker_list,
}


@pytest.mark.parametrize("kind", MANIFESTS)
@endpoint("end-7a", "MUST")
def test_end_7a_a_manifest_of_any_kind_is_kept_byte_for_byte(repo: Repo, kind: str) -> None:
    repo.push_blob(EMPTY_JSON)
    payload = MANIFESTS[kind](repo)
    answer = repo.put("v1", payload)
    assert_pullable(repo, answer, payload)
    pulled = repo.manifest("v1")
    assert (pulled.body, pulled.digest) == (payload, digest_of(payload))
    assert pulled.headers["Content-Type"] == json.loads(payload)["mediaType"]


@endpoint("end-7a", "MUST")
def test_end_7a_a_manifest_without_a_media_type_is_kept_byte_for_byte(repo: Repo) -> None:
    repo.push_blob(EMPTY_JSON)
    payload = (
        b'  {"layers": [],\t"schemaVersion":2,\r\n"config":'
        + json.dumps(descriptor(EMPTY_JSON, CONFIG)).encode()
        + b"}\n"
    )
    assert repo.put("v1", payload, mediatypes.OCI_MANIFEST).status == 201
    pulled = repo.manifest("v1")
    assert (pulled.body, pulled.headers["Content-Type"]) == (payload, mediatypes.OCI_MANIFEST)


# ── what it names and the repository has not ──────────────────────────────────────────────────


def _missing(repo: Repo, payload: bytes, *missing: str) -> None:
    """A registry may take a manifest whose content it lacks, or else has to say which."""
    answer = repo.put("v1", payload)
    if answer.status != 201:
        repo.assert_refused(answer, (400, 404), "MANIFEST_BLOB_UNKNOWN")
        assert set(codes(answer)) == {"MANIFEST_BLOB_UNKNOWN"}
        text = answer.body.decode()
        assert all(digest in text for digest in missing)
    repo.target.optional(answer.status != 201, "refusing manifests of content that is missing")


@endpoint("end-7a", "MUST")
def test_end_7a_a_missing_config_and_layer_are_manifest_blob_unknown(repo: Repo) -> None:
    config, layer = random_blob(), random_blob()
    repo.push_blob(random_blob())
    _missing(repo, image_of(config, layer), digest_of(config), digest_of(layer))


@endpoint("end-7a", "MUST")
def test_end_7a_a_missing_manifest_of_an_index_is_manifest_blob_unknown(repo: Repo) -> None:
    _, here = repo.push_image()
    missing = image_of(random_blob())
    _missing(repo, index_of(here, missing), digest_of(missing))


@endpoint("end-7a", "MUST")
def test_end_7a_a_blob_of_another_repository_is_missing(repo: Repo, other: Repo) -> None:
    payload = other.image()
    layer = json.loads(payload)["layers"][0]["digest"]
    repo.push_blob(EMPTY_JSON)
    _missing(repo, payload, layer)


# ── size ──────────────────────────────────────────────────────────────────────────────────────


def of_size(repo: Repo, size: int) -> bytes:
    repo.push_blob(EMPTY_JSON)
    payload = image_of(EMPTY_JSON, annotations={"filler": ""})
    return payload.replace(b'"filler": ""', b'"filler": "' + b"a" * (size - len(payload)) + b'"')


@endpoint("end-7a", "SHOULD")
def test_end_7a_a_manifest_of_4_megabytes_is_taken(repo: Repo) -> None:
    payload = of_size(repo, MEGABYTES_4)
    assert len(payload) == MEGABYTES_4
    assert_pullable(repo, repo.put("v1", payload), payload)


@endpoint("end-7a", "SHOULD")
def test_end_7a_a_manifest_over_the_limit_is_413(repo: Repo) -> None:
    answer = repo.put("v1", of_size(repo, 10 * MEBIBYTES_4))
    repo.assert_refused(answer, 413)
    assert repo.manifest("v1").status == 404


@endpoint("end-7a", "SHOULD")
def test_end_7a_the_limit_is_4_mebibytes_here(repo: Repo) -> None:
    if not repo.target.required:
        pytest.skip("the limit of another registry is its own")
    payload = of_size(repo, MEBIBYTES_4)
    assert_pullable(repo, repo.put("v1", payload), payload)
    repo.assert_refused(repo.put("v2", payload + b" "), 413, "MANIFEST_INVALID")


# ── tags in the query ─────────────────────────────────────────────────────────────────────────


def put_with_tags(repo: Repo, payload: bytes, *tags: str, algorithm: str = "sha256") -> Response:
    query = "&".join(f"tag={tag}" for tag in tags)
    answer = repo.put(f"{digest_of(payload, algorithm)}?{query}", payload)
    repo.target.optional(answer.status != 201 or answer.headers["OCI-Tag"] is not None, "pushing tags in the query")
    return answer


def accepted_tags(answer: Response) -> set[str]:
    return {tag.strip() for line in answer.headers.get_all("OCI-Tag", []) for tag in line.split(",")}


@endpoint("end-7b", "MUST", since="main")
def test_end_7b_each_tag_of_the_query_is_made_and_named_in_the_answer(repo: Repo) -> None:
    payload = repo.image()
    answer = put_with_tags(repo, payload, "1.2.3", "1.2", "1", "latest")
    assert_pullable(repo, answer, payload)
    assert accepted_tags(answer) == {"1.2.3", "1.2", "1", "latest"}
    assert sorted(repo.tags()) == ["1", "1.2", "1.2.3", "latest"]
    for tag in accepted_tags(answer):
        assert repo.manifest(tag).body == payload


@endpoint("end-7b", "SHOULD", since="main")
def test_end_7b_ten_tags_can_be_made_at_once(repo: Repo) -> None:
    tags = {f"{'t' * 100}-{number}" for number in range(10)}
    assert accepted_tags(put_with_tags(repo, repo.image(), *tags)) == tags
    assert set(repo.tags()) == tags


@endpoint("end-7b", "MUST", since="main")
def test_end_7b_a_tag_named_twice_is_made_once(repo: Repo) -> None:
    assert accepted_tags(put_with_tags(repo, repo.image(), "v1", "v1")) == {"v1"}
    assert repo.tags() == ["v1"]


@endpoint("end-7b", "MUST", since="main")
def test_end_7b_a_tag_outside_of_the_grammar_is_never_accepted(repo: Repo) -> None:
    answer = put_with_tags(repo, repo.image(), "good", ".bad")
    if answer.status == 201:
        assert accepted_tags(answer) == {"good"}
    else:
        repo.assert_refused(answer, 400)


@endpoint("end-7b", "MUST", since="main")
def test_end_7b_no_tag_is_made_of_what_has_another_digest(repo: Repo) -> None:
    payload = repo.image()
    answer = repo.put(f"{unknown_digest()}?tag=v1", payload)
    repo.assert_refused(answer, 400, "DIGEST_INVALID")
    assert repo.manifest("v1").status == 404


@endpoint("end-7b", "MUST", since="main")
def test_end_7b_without_tags_none_is_named(repo: Repo) -> None:
    payload = repo.image()
    assert repo.put(digest_of(payload), payload).headers["OCI-Tag"] is None


# ── a subject ─────────────────────────────────────────────────────────────────────────────────


@endpoint("end-7a", "MUST")
def test_end_7a_a_subject_that_is_not_there_is_accepted(repo: Repo) -> None:
    subject = {"mediaType": mediatypes.OCI_MANIFEST, "digest": unknown_digest(), "size": 123}
    payload = repo.image(subject=subject, artifactType=SBOM)
    assert_pullable(repo, repo.put(digest_of(payload), payload), payload)


@pytest.mark.parametrize("kind", ["image", "index"])
@pytest.mark.parametrize("by", ["tag", "digest"])
@endpoint("end-7a", "MUST")
def test_end_7a_the_subject_is_named_in_the_answer(repo: Repo, kind: str, by: str) -> None:
    digest, payload = repo.push_image()
    repo.referrers(digest)
    members: dict[str, Any] = {"subject": descriptor(payload, mediatypes.OCI_MANIFEST)}
    referrer = repo.image(**members) if kind == "image" else index_of(payload, **members)
    answer = repo.put("v1" if by == "tag" else digest_of(referrer), referrer)
    assert (answer.status, answer.headers["OCI-Subject"]) == (201, digest)


@endpoint("end-7a", "MUST")
def test_end_7a_where_there_is_no_subject_none_is_named(repo: Repo) -> None:
    assert repo.put("v1", repo.image()).headers["OCI-Subject"] is None


@endpoint("end-7a", "MUST")
def test_end_7a_a_subject_that_is_no_descriptor_is_refused(repo: Repo) -> None:
    payload = repo.image(subject={"digest": "sha256:none"})
    repo.target.optional(repo.put("v1", payload).status == 400, "checking subjects")
