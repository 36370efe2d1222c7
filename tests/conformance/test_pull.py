"""Pulling blobs (end-2) and manifests (end-3)."""

from __future__ import annotations

import pytest

from registry_wsgi import mediatypes
from tests.conformance.target import Repo, digest_of, random_blob, unknown_digest

endpoint = pytest.mark.endpoint

# ── blobs ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("content", [b"", b"{}", random_blob(), random_blob(2_000_000)], ids=len)
@endpoint("end-2", "MUST")
def test_end_2_get_of_a_blob_answers_200_and_its_bytes(repo: Repo, content: bytes) -> None:
    answer = repo.blob(repo.push_blob(content))
    assert (answer.status, answer.body) == (200, content)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@endpoint("end-2", "MUST", since="main")
def test_end_2_a_blob_comes_with_its_digest(repo: Repo, method: str) -> None:
    digest = repo.push_blob(random_blob())
    assert repo.blob(digest, method).digest == digest


@endpoint("end-2", "MUST")
def test_end_2_head_of_a_blob_answers_200_and_no_body(repo: Repo) -> None:
    answer = repo.blob(repo.push_blob(random_blob()), "HEAD")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("size", [0, 512])
@endpoint("end-2", "MUST", since="main")
def test_end_2_head_of_a_blob_has_its_size(repo: Repo, size: int) -> None:
    answer = repo.blob(repo.push_blob(random_blob(size)), "HEAD")
    assert answer.headers["Content-Length"] == str(size)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@endpoint("end-2", "MUST")
def test_end_2_a_blob_that_is_not_there_is_404(repo: Repo, method: str) -> None:
    repo.push_blob(random_blob())
    repo.assert_refused(repo.blob(unknown_digest(), method), 404, "BLOB_UNKNOWN")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@endpoint("end-2", "MUST")
def test_end_2_a_blob_of_a_repository_that_is_not_there_is_404(repo: Repo, other: Repo, method: str) -> None:
    digest = other.push_blob(random_blob())
    repo.assert_refused(repo.blob(digest, method), 404, "BLOB_UNKNOWN", "NAME_UNKNOWN")


SIZE = 2048


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=500-1499", 500, 1500),
        ("bytes=500-", 500, SIZE),
        ("bytes=-500", SIZE - 500, SIZE),
        ("bytes=2000-5000", 2000, SIZE),
        ("bytes=-5000", 0, SIZE),
    ],
)
@endpoint("end-2", "SHOULD")
def test_end_2_a_range_of_a_blob_is_answered_with_206(repo: Repo, asked: str, begin: int, end: int) -> None:
    content = random_blob(SIZE)
    answer = repo.blob(repo.push_blob(content), Range=asked)
    assert (answer.status, answer.body) == (206, content[begin:end])
    assert answer.headers["Content-Length"] == str(end - begin)
    assert answer.headers["Content-Range"] in (f"bytes {begin}-{end - 1}/{SIZE}", f"bytes {begin}-{end - 1}/*")


@pytest.mark.parametrize("asked", ["bytes=5000-10000", f"bytes={SIZE}-"])
@endpoint("end-2", "SHOULD")
def test_end_2_a_range_outside_of_a_blob_is_416_and_says_how_large_it_is(repo: Repo, asked: str) -> None:
    answer = repo.blob(repo.push_blob(random_blob(SIZE)), Range=asked)
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize("asked", ["bytes=500-0", "bytes=-0", "bytes=one-two", "lines=1-2"])
@endpoint("end-2", "SHOULD")
def test_end_2_a_range_that_means_nothing_is_ignored_or_refused(repo: Repo, asked: str) -> None:
    """RFC 9110 §14.2 allows both where a range is invalid, and only ignoring where its unit is another."""
    content = random_blob(SIZE)
    answer = repo.blob(repo.push_blob(content), Range=asked)
    if answer.status == 416:
        assert asked.startswith("bytes")
    else:
        assert (answer.status, answer.body) == (200, content)


# ── manifests ─────────────────────────────────────────────────────────────────────────────────


@endpoint("end-3", "MUST")
def test_end_3_get_of_a_manifest_by_tag_answers_200_and_its_bytes(repo: Repo) -> None:
    _, payload = repo.push_image("v1")
    answer = repo.manifest("v1")
    assert (answer.status, answer.body) == (200, payload)


@endpoint("end-3", "MUST")
def test_end_3_get_of_a_manifest_by_digest_answers_200_and_its_bytes(repo: Repo) -> None:
    digest, payload = repo.push_image("v1")
    answer = repo.manifest(digest)
    assert (answer.status, answer.body) == (200, payload)


@endpoint("end-3", "MUST")
def test_end_3_an_index_and_the_manifests_in_it_are_pulled_by_digest(repo: Repo) -> None:
    digest, payload = repo.push_index("v1")
    answer = repo.manifest(digest)
    assert (answer.status, answer.body) == (200, payload)
    for entry in answer.json()["manifests"]:
        assert digest_of(repo.manifest(entry["digest"]).body) == entry["digest"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("by", ["tag", "digest"])
@endpoint("end-3", "MUST", since="main")
def test_end_3_a_manifest_comes_with_its_digest(repo: Repo, method: str, by: str) -> None:
    digest, _ = repo.push_image("v1")
    assert repo.manifest("v1" if by == "tag" else digest, method).digest == digest


@pytest.mark.parametrize("by", ["tag", "digest"])
@endpoint("end-3", "MUST")
def test_end_3_head_of_a_manifest_answers_200_and_no_body(repo: Repo, by: str) -> None:
    digest, _ = repo.push_image("v1")
    answer = repo.manifest("v1" if by == "tag" else digest, "HEAD")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("by", ["tag", "digest"])
@endpoint("end-3", "MUST", since="main")
def test_end_3_head_of_a_manifest_has_its_size(repo: Repo, by: str) -> None:
    digest, payload = repo.push_image("v1")
    answer = repo.manifest("v1" if by == "tag" else digest, "HEAD")
    assert answer.headers["Content-Length"] == str(len(payload))


@pytest.mark.parametrize("media_type", [mediatypes.OCI_MANIFEST, mediatypes.DOCKER_MANIFEST])
@endpoint("end-3", "SHOULD")
def test_end_3_a_manifest_has_the_content_type_it_was_pushed_with(repo: Repo, media_type: str) -> None:
    digest, _ = repo.push_image(mediaType=media_type)
    assert repo.manifest(digest).headers["Content-Type"] == media_type


@endpoint("end-3", "SHOULD")
def test_end_3_the_content_type_of_a_manifest_has_no_parameters(repo: Repo) -> None:
    repo.push("v1", repo.image(), f"{mediatypes.OCI_MANIFEST}; charset=utf-8")
    assert repo.manifest("v1").headers["Content-Type"] == mediatypes.OCI_MANIFEST


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("reference", ["absent", unknown_digest()], ids=["tag", "digest"])
@endpoint("end-3", "MUST")
def test_end_3_a_manifest_that_is_not_there_is_404(repo: Repo, reference: str, method: str) -> None:
    repo.push_image("v1")
    repo.assert_refused(repo.manifest(reference, method), 404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("reference", ["latest", unknown_digest()], ids=["tag", "digest"])
@endpoint("end-3", "MUST")
def test_end_3_a_repository_that_is_not_there_is_404(repo: Repo, reference: str, method: str) -> None:
    repo.assert_refused(repo.manifest(reference, method), 404, "MANIFEST_UNKNOWN", "NAME_UNKNOWN")


@endpoint("end-3", "MUST")
def test_end_3_a_layer_is_no_manifest(repo: Repo) -> None:
    repo.assert_refused(repo.manifest(repo.push_blob(random_blob())), 404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("reference", [".INVALID_MANIFEST_NAME", "-v1", "a" * 129, "v%201", "sha256:bad"])
@endpoint("end-3", "MUST")
def test_end_3_what_is_neither_tag_nor_digest_is_refused(repo: Repo, reference: str) -> None:
    repo.push_image("v1")
    repo.assert_refused(repo.manifest(reference), (400, 404), "MANIFEST_UNKNOWN", "DIGEST_INVALID", "MANIFEST_INVALID")


@endpoint("end-3", "MUST")
def test_end_3_a_tag_may_have_128_characters(repo: Repo) -> None:
    for tag in ("_" + "a" * 127, "A.b-c_1", "0"):
        digest, _ = repo.push_image(tag)
        assert repo.manifest(tag).digest == digest


@pytest.mark.parametrize("suffix", ["", "/b", ".b", "_b", "__b", "-b", "---b", "/0/1/2/3/4/5"])
@endpoint("end-3", "MUST")
def test_end_3_a_name_may_have_all_that_the_grammar_allows(repo: Repo, suffix: str) -> None:
    named = Repo(repo.target, repo.name + suffix)
    _, payload = named.push_image("v1")
    assert named.manifest("v1").body == payload


@pytest.mark.parametrize("suffix", ["A", "..b", "___b", "-", "/-b", "/_b", "/b."])
@endpoint("end-3", "MUST")
def test_end_3_a_name_outside_of_the_grammar_is_refused(repo: Repo, suffix: str) -> None:
    named = Repo(repo.target, repo.name + suffix)
    named.assert_refused(named.manifest("v1"), (400, 404), "NAME_INVALID")
    named.assert_refused(named.request("POST", "blobs/uploads/", b""), (400, 404), "NAME_INVALID")


@endpoint("end-3", "SHOULD", since="main")
def test_end_3_the_namespace_of_a_proxied_registry_does_no_harm(repo: Repo) -> None:
    _, payload = repo.push_image("v1")
    answer = repo.manifest("v1?ns=registry.example.org")
    assert (answer.status, answer.body) == (200, payload)
    assert answer.headers["OCI-Namespace"] in (None, "registry.example.org")
