"""Deleting tags and manifests (end-9) and blobs (end-10)."""

from __future__ import annotations

import json

import pytest

from tests.conformance.target import Repo, index_of, random_blob, unknown_digest

endpoint = pytest.mark.endpoint


def delete(repo: Repo, rest: str, feature: str) -> None:
    """Delete with 202; where deletion is off it has to be 400 or 405."""
    answer = repo.request("DELETE", rest)
    repo.target.optional(answer.status not in (400, 405), feature)
    assert answer.status == 202, (answer.status, answer.body)


# ── tags ──────────────────────────────────────────────────────────────────────────────────────


@endpoint("end-9", "MUST")
def test_end_9_a_tag_is_deleted_with_202_and_then_404(repo: Repo) -> None:
    repo.push_image("v1")
    delete(repo, "manifests/v1", "deleting tags")
    repo.assert_refused(repo.manifest("v1"), 404, "MANIFEST_UNKNOWN")


@endpoint("end-9", "MUST")
def test_end_9_a_tag_is_deleted_and_neither_its_manifest_nor_other_tags(repo: Repo) -> None:
    digest, payload = repo.push_image("v1")
    repo.push("v2", payload)
    delete(repo, "manifests/v1", "deleting tags")
    assert repo.tags() == ["v2"]
    assert {repo.manifest(reference).status for reference in ("v2", digest)} == {200}


@endpoint("end-9", "MUST")
def test_end_9_a_tag_that_is_not_there_is_refused(repo: Repo) -> None:
    repo.push_image("v1")
    repo.assert_refused(repo.request("DELETE", "manifests/absent"), (404, 400, 405), "MANIFEST_UNKNOWN", "UNSUPPORTED")


@endpoint("end-9", "MUST")
def test_end_9_a_refused_deletion_of_a_tag_says_so_in_the_form_of_errors(repo: Repo) -> None:
    repo.push_image("v1")
    answer = repo.request("DELETE", "manifests/v1")
    if answer.status != 202:
        repo.assert_refused(answer, (400, 405), "UNSUPPORTED", "DIGEST_INVALID", "DENIED")


# ── manifests ─────────────────────────────────────────────────────────────────────────────────


@endpoint("end-9", "MUST")
def test_end_9_a_manifest_is_deleted_with_202_and_then_404_with_all_its_tags(repo: Repo) -> None:
    digest, payload = repo.push_image("v1")
    repo.push("v2", payload)
    kept, _ = repo.push_image("kept")
    delete(repo, f"manifests/{digest}", "deleting manifests")
    for reference in (digest, "v1", "v2"):
        assert repo.manifest(reference).status == 404
        assert repo.manifest(reference, "HEAD").status == 404
    assert repo.tags() == ["kept"]
    assert repo.manifest("kept").digest == kept


@endpoint("end-9", "MUST")
def test_end_9_an_index_is_deleted_without_the_manifests_in_it(repo: Repo) -> None:
    child, payload = repo.push_image()
    index = index_of(payload)
    digest = repo.push("v1", index)
    delete(repo, f"manifests/{digest}", "deleting manifests")
    assert repo.manifest(digest).status == 404
    assert repo.manifest(child).body == payload


@endpoint("end-9", "MUST")
def test_end_9_a_deleted_manifest_can_be_pushed_again(repo: Repo) -> None:
    digest, payload = repo.push_image("v1")
    delete(repo, f"manifests/{digest}", "deleting manifests")
    repo.push("v2", payload)
    assert repo.manifest(digest).body == payload
    assert repo.tags() == ["v2"]


@endpoint("end-9", "MUST")
def test_end_9_a_manifest_that_is_not_there_is_404(repo: Repo) -> None:
    repo.push_image("v1")
    answer = repo.request("DELETE", f"manifests/{unknown_digest()}")
    repo.target.optional(answer.status not in (400, 405), "deleting manifests")
    repo.assert_refused(answer, 404, "MANIFEST_UNKNOWN")


@endpoint("end-9", "MUST")
def test_end_9_a_manifest_of_a_repository_that_is_not_there_is_404(repo: Repo) -> None:
    answer = repo.request("DELETE", f"manifests/{unknown_digest()}")
    repo.target.optional(answer.status not in (400, 405), "deleting manifests")
    repo.assert_refused(answer, 404, "NAME_UNKNOWN", "MANIFEST_UNKNOWN")


@endpoint("end-9", "MUST")
def test_end_9_a_manifest_of_another_repository_stays(repo: Repo, other: Repo) -> None:
    digest, payload = repo.push_image("v1")
    for blob in (json.loads(payload)["config"], *json.loads(payload)["layers"]):
        other.push_blob(repo.blob(blob["digest"]).body)
    other.push("v1", payload)
    delete(repo, f"manifests/{digest}", "deleting manifests")
    assert other.manifest("v1").body == payload


# ── blobs ─────────────────────────────────────────────────────────────────────────────────────


@endpoint("end-10", "MUST")
def test_end_10_a_blob_is_deleted_with_202_and_then_404(repo: Repo) -> None:
    digest = repo.push_blob(random_blob())
    delete(repo, f"blobs/{digest}", "deleting blobs")
    for method in ("GET", "HEAD"):
        repo.assert_refused(repo.blob(digest, method), 404, "BLOB_UNKNOWN")


@endpoint("end-10", "MUST")
def test_end_10_a_blob_that_is_not_there_is_404(repo: Repo) -> None:
    repo.push_blob(random_blob())
    answer = repo.request("DELETE", f"blobs/{unknown_digest()}")
    repo.target.optional(answer.status not in (400, 405), "deleting blobs")
    repo.assert_refused(answer, 404, "BLOB_UNKNOWN")


@endpoint("end-10", "MUST")
def test_end_10_a_blob_that_was_deleted_is_404(repo: Repo) -> None:
    digest = repo.push_blob(random_blob())
    delete(repo, f"blobs/{digest}", "deleting blobs")
    repo.assert_refused(repo.request("DELETE", f"blobs/{digest}"), 404, "BLOB_UNKNOWN")


@endpoint("end-10", "MUST")
def test_end_10_a_deleted_blob_can_be_pushed_again(repo: Repo) -> None:
    content = random_blob()
    digest = repo.push_blob(content)
    delete(repo, f"blobs/{digest}", "deleting blobs")
    repo.push_blob(content)
    assert repo.blob(digest).body == content


@endpoint("end-10", "MUST")
def test_end_10_a_blob_of_another_repository_stays(repo: Repo, other: Repo) -> None:
    content = random_blob()
    digest = repo.push_blob(content)
    other.push_blob(content)
    delete(repo, f"blobs/{digest}", "deleting blobs")
    assert other.blob(digest).body == content


@pytest.mark.parametrize("digest", ["sha256:abc", "none"])
@endpoint("end-10", "MUST")
def test_end_10_a_malformed_digest_is_refused(repo: Repo, digest: str) -> None:
    repo.push_blob(random_blob())
    answer = repo.request("DELETE", f"blobs/{digest}")
    repo.assert_refused(answer, (400, 404, 405), "DIGEST_INVALID", "BLOB_UNKNOWN", "UNSUPPORTED")
