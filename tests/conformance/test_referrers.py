"""Listing referrers (end-12a), filtered (end-12b), and those from before there was such a list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from registry_wsgi import mediatypes
from tests.conformance.target import (
    EMPTY_JSON,
    SBOM,
    SIGNATURE,
    Client,
    Object,
    Repo,
    Target,
    descriptor,
    digest_of,
    image_of,
    index_of,
    random_blob,
    referrer_tag,
    unknown_digest,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

endpoint = pytest.mark.endpoint

EMPTY = "application/vnd.oci.empty.v1+json"
MANIFEST_LIMIT = 4 * 1024 * 1024


def subject_of(payload: bytes) -> Object:
    return descriptor(payload, json.loads(payload)["mediaType"])


def artifact(repo: Repo, subject: Object, artifact_type: str = SBOM, **members: Any) -> bytes:
    """Return an artifact manifest that nobody else has, its content pushed."""
    repo.push_blob(EMPTY_JSON)
    members = {"annotations": {"org.example.id": digest_of(random_blob())}, **members}
    if artifact_type:
        members["artifactType"] = artifact_type
    empty = descriptor(EMPTY_JSON, EMPTY)
    return image_of(EMPTY_JSON, **{"config": empty, "layers": [empty], "subject": subject, **members})


def push_artifact(repo: Repo, subject: Object, artifact_type: str = SBOM, **members: Any) -> str:
    payload = artifact(repo, subject, artifact_type, **members)
    return repo.push(digest_of(payload), payload)


@pytest.fixture
def subject(repo: Repo) -> Object:
    """An image in the repository, as a descriptor for `subject`; skips where there are no referrers."""
    digest, payload = repo.push_image("subject")
    repo.referrers(digest)
    return subject_of(payload)


# ── the list ──────────────────────────────────────────────────────────────────────────────────


@endpoint("end-12a", "MUST")
def test_end_12a_the_list_is_an_image_index_answered_with_200(repo: Repo, subject: Object) -> None:
    push_artifact(repo, subject)
    answer = repo.referrers(subject["digest"])
    assert (answer.status, answer.headers["Content-Type"]) == (200, mediatypes.OCI_INDEX)
    document = answer.json()
    assert (document["schemaVersion"], document["mediaType"]) == (2, mediatypes.OCI_INDEX)
    assert len(document["manifests"]) == 1


@endpoint("end-12a", "MUST")
def test_end_12a_a_manifest_without_referrers_has_an_empty_list(repo: Repo, subject: Object) -> None:
    answer = repo.referrers(subject["digest"])
    assert (answer.status, answer.json()["manifests"]) == (200, [])


@endpoint("end-12a", "MUST")
def test_end_12a_a_manifest_that_is_not_there_has_an_empty_list(repo: Repo, subject: Object) -> None:
    answer = repo.referrers(unknown_digest())
    assert (answer.status, answer.headers["Content-Type"]) == (200, mediatypes.OCI_INDEX)
    assert answer.json()["manifests"] == []


@endpoint("end-12a", "MUST")
def test_end_12a_a_repository_that_is_not_there_is_no_404(subject: Object, other: Repo) -> None:
    answer = other.referrers(subject["digest"])
    assert (answer.status, answer.json()["manifests"]) == (200, [])


@pytest.mark.parametrize("digest", ["sha256:abc", "none", "sha256:" + "g" * 64, "sha256:" + "0" * 65])
@endpoint("end-12a", "MUST")
def test_end_12a_a_malformed_digest_is_400(repo: Repo, subject: Object, digest: str) -> None:
    repo.assert_refused(repo.request("GET", f"referrers/{digest}"), 400, "DIGEST_INVALID")


@endpoint("end-12a", "MUST")
def test_end_12a_each_descriptor_has_type_size_digest_and_annotations_of_its_manifest(
    repo: Repo, subject: Object
) -> None:
    annotations = {"org.example.format": "json", "org.example.ä": "<ü>"}
    payload = artifact(repo, subject, annotations=annotations)
    digest = repo.push(digest_of(payload), payload)
    [entry] = repo.referrers(subject["digest"]).json()["manifests"]
    assert entry == {
        "mediaType": mediatypes.OCI_MANIFEST,
        "size": len(payload),
        "digest": digest,
        "artifactType": SBOM,
        "annotations": annotations,
    }


@endpoint("end-12a", "MUST")
def test_end_12a_the_artifact_type_of_an_image_without_one_is_its_configs(repo: Repo, subject: Object) -> None:
    repo.push_blob(EMPTY_JSON)
    config = descriptor(EMPTY_JSON, "application/vnd.example.config.v1+json")
    push_artifact(repo, subject, "", config=config)
    [entry] = repo.referrers(subject["digest"]).json()["manifests"]
    assert entry["artifactType"] == "application/vnd.example.config.v1+json"


@endpoint("end-12a", "MUST")
def test_end_12a_an_index_with_a_subject_is_listed_with_its_artifact_type(repo: Repo, subject: Object) -> None:
    digest, _ = repo.push_index(subject=subject, artifactType=SIGNATURE, annotations={"a": "b"})
    [entry] = repo.referrers(subject["digest"]).json()["manifests"]
    assert (entry["digest"], entry["mediaType"]) == (digest, mediatypes.OCI_INDEX)
    assert (entry["artifactType"], entry["annotations"]) == (SIGNATURE, {"a": "b"})


@endpoint("end-12a", "MUST")
def test_end_12a_an_index_without_an_artifact_type_is_listed_without_one(repo: Repo, subject: Object) -> None:
    repo.push_index(subject=subject)
    [entry] = repo.referrers(subject["digest"]).json()["manifests"]
    assert "artifactType" not in entry


@endpoint("end-12a", "MUST")
def test_end_12a_an_index_can_be_a_subject(repo: Repo, subject: Object) -> None:
    index, payload = repo.push_index()
    referrer = push_artifact(repo, subject_of(payload))
    assert repo.referring(index) == [referrer]


@endpoint("end-12a", "MUST")
def test_end_12a_all_referrers_are_listed_at_once_after_their_push(repo: Repo, subject: Object) -> None:
    pushed = set()
    for number in range(5):
        pushed.add(push_artifact(repo, subject, SBOM if number % 2 else SIGNATURE))
        assert set(repo.referring(subject["digest"])) == pushed


@endpoint("end-12a", "MUST")
def test_end_12a_a_referrer_pushed_by_tag_and_by_digest_is_listed_once(repo: Repo, subject: Object) -> None:
    payload = artifact(repo, subject)
    for reference in ("v1", digest_of(payload), "v2"):
        repo.push(reference, payload)
    assert repo.referring(subject["digest"]) == [digest_of(payload)]


@endpoint("end-12a", "MUST")
def test_end_12a_a_referrer_may_come_before_its_subject(repo: Repo, subject: Object) -> None:
    late = repo.image()
    referrer = push_artifact(repo, subject_of(late))
    assert repo.referring(digest_of(late)) == [referrer]
    repo.push("late", late)
    assert repo.referring(digest_of(late)) == [referrer]


@endpoint("end-12a", "MUST")
def test_end_12a_a_referrer_can_be_a_subject_and_is_listed_only_where_it_refers_to(repo: Repo, subject: Object) -> None:
    payload = artifact(repo, subject)
    first = repo.push(digest_of(payload), payload)
    second = push_artifact(repo, subject_of(payload), SIGNATURE)
    assert repo.referring(subject["digest"]) == [first]
    assert repo.referring(first) == [second]


@endpoint("end-12a", "MUST")
def test_end_12a_a_list_is_of_its_own_repository(repo: Repo, subject: Object, other: Repo) -> None:
    referrer = push_artifact(repo, subject)
    push_artifact(other, subject)
    assert repo.referring(subject["digest"]) == [referrer]


@endpoint("end-12a", "MUST")
def test_end_12a_a_list_too_large_for_one_manifest_comes_in_pages(repo: Repo, subject: Object) -> None:
    pushed = {
        push_artifact(repo, subject, annotations={"n": str(number), "large": "a" * 600_000}) for number in range(9)
    }
    first = repo.referrers(subject["digest"])
    assert first.headers["Link"] is not None
    assert len(first.body) <= MANIFEST_LIMIT
    pages = repo.referrer_pages(subject["digest"])
    found = [entry["digest"] for page in pages for entry in page["manifests"]]
    assert sorted(found) == sorted(pushed)
    assert all((page["mediaType"], page["schemaVersion"]) == (mediatypes.OCI_INDEX, 2) for page in pages)


# ── the filter ────────────────────────────────────────────────────────────────────────────────


@endpoint("end-12b", "SHOULD")
def test_end_12b_referrers_are_filtered_by_their_artifact_type(repo: Repo, subject: Object) -> None:
    boms = {push_artifact(repo, subject) for _ in range(2)}
    push_artifact(repo, subject, SIGNATURE)
    assert set(repo.referring(subject["digest"], SBOM)) == boms


@endpoint("end-12b", "MUST")
def test_end_12b_a_filter_that_was_applied_is_named(repo: Repo, subject: Object) -> None:
    push_artifact(repo, subject)
    for artifact_type in (SBOM, SIGNATURE):
        answer = repo.referrers(subject["digest"], artifact_type)
        assert answer.headers["OCI-Filters-Applied"] == "artifactType"
        assert answer.headers["Content-Type"] == mediatypes.OCI_INDEX
    assert repo.referrers(subject["digest"]).headers["OCI-Filters-Applied"] is None


@endpoint("end-12b", "MUST")
def test_end_12b_a_filter_that_matches_nothing_leaves_an_empty_list(repo: Repo, subject: Object) -> None:
    push_artifact(repo, subject)
    answer = repo.referrers(subject["digest"], "application/x.none")
    assert (answer.status, answer.json()["manifests"]) == (200, [])


@endpoint("end-12b", "SHOULD")
def test_end_12b_the_filter_knows_the_type_of_a_config_too(repo: Repo, subject: Object) -> None:
    repo.push_blob(EMPTY_JSON)
    found = push_artifact(repo, subject, "", config=descriptor(EMPTY_JSON, SIGNATURE))
    push_artifact(repo, subject)
    assert repo.referring(subject["digest"], SIGNATURE) == [found]


@endpoint("end-12b", "SHOULD")
def test_end_12b_a_filter_with_characters_of_a_query_is_decoded(repo: Repo, subject: Object) -> None:
    found = push_artifact(repo, subject, "application/vnd.example+json")
    push_artifact(repo, subject)
    assert repo.referring(subject["digest"], "application%2Fvnd.example%2Bjson") == [found]


@endpoint("end-12b", "MUST")
def test_end_12b_the_filter_holds_for_all_pages(repo: Repo, subject: Object) -> None:
    pushed: dict[str, set[str]] = {SBOM: set(), SIGNATURE: set()}
    for number in range(18):
        artifact_type = SBOM if number % 2 else SIGNATURE
        annotations = {"n": str(number), "large": "a" * 600_000}
        pushed[artifact_type].add(push_artifact(repo, subject, artifact_type, annotations=annotations))
    found = repo.referring(subject["digest"], SBOM)
    assert len(found) == len(set(found))
    assert set(found) == pushed[SBOM]


# ── deletion ──────────────────────────────────────────────────────────────────────────────────


def delete(repo: Repo, digest: str) -> None:
    status = repo.request("DELETE", f"manifests/{digest}").status
    repo.target.optional(status not in (400, 405), "deleting manifests")
    assert status == 202


@endpoint("end-12a", "MUST")
def test_end_12a_a_deleted_referrer_is_no_longer_listed(repo: Repo, subject: Object) -> None:
    gone, kept = push_artifact(repo, subject), push_artifact(repo, subject)
    delete(repo, gone)
    assert repo.referring(subject["digest"]) == [kept]


@endpoint("end-12a", "MUST")
def test_end_12a_a_deleted_subject_keeps_its_referrers(repo: Repo, subject: Object) -> None:
    referrer = push_artifact(repo, subject)
    delete(repo, subject["digest"])
    assert repo.manifest(subject["digest"]).status == 404
    assert repo.referring(subject["digest"]) == [referrer]
    assert repo.manifest(referrer).status == 200


@endpoint("end-12a", "MUST")
def test_end_12a_a_referrer_that_is_pushed_again_is_listed_again(repo: Repo, subject: Object) -> None:
    payload = artifact(repo, subject)
    for _ in range(2):
        repo.push(digest_of(payload), payload)
        assert repo.referring(subject["digest"]) == [digest_of(payload)]
        delete(repo, digest_of(payload))
        assert repo.referring(subject["digest"]) == []


# ── from before there was a list ──────────────────────────────────────────────────────────────


@endpoint("end-12a", "MUST")
def test_end_12a_what_the_fallback_tag_lists_too_is_listed_once(repo: Repo, subject: Object) -> None:
    payload = artifact(repo, subject)
    referrer = repo.push(digest_of(payload), payload)
    repo.push(referrer_tag(subject["digest"]), index_of(payload))
    assert repo.referring(subject["digest"]) == [referrer]


@endpoint("end-12a", "MUST")
def test_end_12a_what_the_fallback_tag_lists_without_a_subject_is_not_listed(repo: Repo, subject: Object) -> None:
    _, stranger = repo.push_image()
    elsewhere = artifact(repo, subject_of(stranger))
    repo.push(digest_of(elsewhere), elsewhere)
    repo.push(referrer_tag(subject["digest"]), index_of(stranger, elsewhere))
    assert repo.referring(subject["digest"]) == []


@endpoint("end-12a", "MUST")
def test_end_12a_a_fallback_tag_that_is_no_index_does_no_harm(repo: Repo, subject: Object) -> None:
    repo.push_image(referrer_tag(subject["digest"]))
    referrer = push_artifact(repo, subject)
    assert repo.referring(subject["digest"]) == [referrer]


def test_end_12a_manifests_of_the_fallback_tag_from_before_the_list_are_listed(serve: Serve, tmp_path: Path) -> None:
    """docker-registry knows no referrers: a client that pushed there kept the list by itself."""
    before = serve(tmp_path, kind="docker-registry")
    repo = Target("docker-registry", Client(before.url), required=False).repository()
    _, subject = repo.push_image("subject")
    artifacts = [artifact(repo, subject_of(subject)) for _ in range(2)]
    index = index_of(repo.push_image()[1], subject=subject_of(subject), artifactType=SIGNATURE)
    for payload in (*artifacts, index):
        repo.push(digest_of(payload), payload)
    repo.push(referrer_tag(digest_of(subject)), index_of(*artifacts, index))
    before.stop()

    ours = Target("ours", Client(serve(tmp_path).url), required=True)
    repo = Repo(ours, repo.name)
    assert sorted(repo.referring(digest_of(subject))) == sorted(digest_of(each) for each in (*artifacts, index))
    entry = repo.referrers(digest_of(subject), SIGNATURE).json()["manifests"]
    assert [each["digest"] for each in entry] == [digest_of(index)]

    newer = artifact(repo, subject_of(subject))
    repo.push("newer", newer)
    delete(repo, digest_of(artifacts[0]))
    left = (artifacts[1], index, newer)
    assert sorted(repo.referring(digest_of(subject))) == sorted(digest_of(each) for each in left)
