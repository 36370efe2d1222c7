"""Pushing blobs: whole (end-4a, end-4b, end-6), in chunks (end-5), and what becomes of a session (end-13, end-14)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.conformance.target import Repo, digest_of, random_blob, unknown_digest
from tests.wire import with_query

if TYPE_CHECKING:
    from tests.wire import Response

endpoint = pytest.mark.endpoint

NO_UPLOAD = "blobs/uploads/00000000-0000-0000-0000-000000000000"
CHUNK = 1000


def assert_pullable(repo: Repo, answer: Response, content: bytes) -> None:
    """Check that a push answered with 201 and a Location from which the blob comes back."""
    assert answer.status == 201, (answer.status, answer.body)
    pulled = repo.client.request("GET", answer.headers["Location"])
    assert (pulled.status, pulled.body) == (200, content)
    assert answer.digest in (None, digest_of(content))


# ── the session starts ────────────────────────────────────────────────────────────────────────


@endpoint("end-4a", "MUST")
def test_end_4a_an_upload_starts_with_202_and_a_location(repo: Repo) -> None:
    answer = repo.request("POST", "blobs/uploads/", b"")
    assert answer.status == 202
    assert answer.headers["Location"]


@endpoint("end-4a", "MUST")
def test_end_4a_each_session_has_a_location_of_its_own(repo: Repo) -> None:
    assert len({repo.start_upload() for _ in range(5)}) == 5


@endpoint("end-4a", "SHOULD")
def test_end_4a_the_smallest_chunk_is_a_number_if_it_is_said(repo: Repo) -> None:
    least = repo.request("POST", "blobs/uploads/", b"").headers["OCI-Chunk-Min-Length"]
    assert least is None or re.fullmatch(r"[0-9]+", least)


# ── whole ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [0, 2, 512, 3_000_000])
@endpoint("end-6", "MUST")
def test_end_6_a_put_after_the_post_answers_201_and_a_location_to_pull_from(repo: Repo, size: int) -> None:
    content = random_blob(size)
    assert_pullable(repo, repo.close(repo.start_upload(), digest_of(content), content), content)


@endpoint("end-6", "MUST")
def test_end_6_a_blob_that_is_there_can_be_pushed_again(repo: Repo) -> None:
    content = random_blob()
    for _ in range(2):
        assert_pullable(repo, repo.close(repo.start_upload(), digest_of(content), content), content)


@pytest.mark.parametrize("size", [2, 512, 3_000_000])
@endpoint("end-4b", "MUST")
def test_end_4b_a_single_post_answers_201_and_a_location_to_pull_from(repo: Repo, size: int) -> None:
    content = random_blob(size)
    answer = _single_post(repo, content, digest_of(content))
    repo.target.optional(answer.status == 201, "a push with a single POST")
    assert_pullable(repo, answer, content)


@endpoint("end-4b", "SHOULD")
def test_end_4b_where_a_single_post_is_not_taken_202_leads_to_a_put(repo: Repo) -> None:
    content = random_blob()
    answer = _single_post(repo, content, digest_of(content))
    if answer.status == 202:
        answer = repo.close(answer.headers["Location"], digest_of(content), content)
    assert_pullable(repo, answer, content)


@endpoint("end-4b", "SHOULD", since="main")
def test_end_4b_a_wrong_digest_is_400(repo: Repo) -> None:
    wrong = unknown_digest()
    answer = _single_post(repo, random_blob(), wrong)
    repo.target.optional(answer.status != 202, "a push with a single POST")
    repo.assert_refused(answer, 400, "DIGEST_INVALID")
    assert repo.blob(wrong).status == 404


INVALID = [
    "sha256:abc",
    "sha256:" + "Z" * 64,
    "sha256",
    ":",
    "md5:" + "0" * 32,
    "unknown:" + "0" * 64,
    "sha256:" + "0" * 63,
]


@pytest.mark.parametrize("digest", INVALID)
@endpoint("end-4b", "SHOULD", since="main")
def test_end_4b_an_invalid_or_unsupported_digest_is_400(repo: Repo, digest: str) -> None:
    answer = _single_post(repo, random_blob(), digest)
    repo.target.optional(answer.status != 202, "a push with a single POST")
    repo.assert_refused(answer, 400, "DIGEST_INVALID")


@pytest.mark.parametrize("digest", INVALID)
@endpoint("end-6", "SHOULD", since="main")
def test_end_6_an_invalid_or_unsupported_digest_is_400(repo: Repo, digest: str) -> None:
    repo.assert_refused(repo.close(repo.start_upload(), digest, random_blob()), 400, "DIGEST_INVALID")


@endpoint("end-6", "SHOULD", since="main")
def test_end_6_a_wrong_digest_is_400_and_stores_nothing(repo: Repo) -> None:
    content, wrong = random_blob(), unknown_digest()
    repo.assert_refused(repo.close(repo.start_upload(), wrong, content), 400, "DIGEST_INVALID")
    assert repo.blob(wrong).status == 404
    assert repo.blob(digest_of(content)).status == 404


@endpoint("end-6", "MUST")
def test_end_6_a_session_is_not_closed_without_a_digest(repo: Repo) -> None:
    answer = repo.client.request("PUT", repo.start_upload(), random_blob())
    repo.assert_refused(answer, 400, "DIGEST_INVALID")


@endpoint("end-6", "MUST")
def test_end_6_a_session_that_is_not_there_is_404(repo: Repo) -> None:
    answer = repo.close(repo.path(NO_UPLOAD), unknown_digest(), random_blob())
    repo.assert_refused(answer, 404, "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID")


@endpoint("end-6", "MUST")
def test_end_6_a_session_ends_with_the_put(repo: Repo) -> None:
    content, location = random_blob(), repo.start_upload()
    assert repo.close(location, digest_of(content), content).status == 201
    repo.assert_refused(
        repo.close(location, digest_of(content), content), 404, "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"
    )


def _single_post(repo: Repo, content: bytes, digest: str) -> Response:
    headers = {"Content-Type": "application/octet-stream"}
    return repo.request("POST", f"blobs/uploads/?digest={digest}", content, headers)


# ── another algorithm ─────────────────────────────────────────────────────────────────────────


@endpoint("end-4c", "SHOULD", since="main")
def test_end_4c_an_upload_may_be_announced_with_its_algorithm(repo: Repo) -> None:
    content = random_blob()
    digest = digest_of(content, "sha512")
    started = repo.request("POST", "blobs/uploads/?digest-algorithm=sha512", b"")
    assert started.status == 202
    answer = repo.patch(started.headers["Location"], content, f"0-{len(content) - 1}")
    answer = repo.close(answer.headers["Location"], digest)
    repo.target.optional(answer.status != 400, "sha512")
    assert answer.status == 201
    assert repo.client.request("GET", answer.headers["Location"]).body == content


@endpoint("end-4c", "SHOULD", since="main")
def test_end_4c_an_algorithm_that_is_not_supported_is_400(repo: Repo) -> None:
    answer = repo.request("POST", "blobs/uploads/?digest-algorithm=md5", b"")
    repo.target.optional(answer.status != 202, "digest-algorithm")
    repo.assert_refused(answer, 400, "DIGEST_INVALID")


# ── in chunks ─────────────────────────────────────────────────────────────────────────────────


@endpoint("end-5", "MUST")
def test_end_5_each_chunk_answers_202_a_location_and_the_range_so_far(repo: Repo) -> None:
    content, location = random_blob(3 * CHUNK - 5), repo.start_upload()
    for start in range(0, len(content), CHUNK):
        chunk = content[start : start + CHUNK]
        end = start + len(chunk) - 1
        answer = repo.patch(location, chunk, f"{start}-{end}")
        assert (answer.status, answer.headers["Range"]) == (202, f"0-{end}")
        location = answer.headers["Location"]
    assert_pullable(repo, repo.close(location, digest_of(content)), content)


@endpoint("end-6", "MAY")
def test_end_6_the_last_chunk_may_come_with_the_put(repo: Repo) -> None:
    content = random_blob(2 * CHUNK - 5)
    answer = repo.patch(repo.start_upload(), content[:CHUNK], f"0-{CHUNK - 1}")
    last = f"{CHUNK}-{len(content) - 1}"
    answer = repo.close(answer.headers["Location"], digest_of(content), content[CHUNK:], last)
    assert_pullable(repo, answer, content)


@endpoint("end-5", "MUST")
def test_end_5_a_first_chunk_that_does_not_begin_at_0_is_416(repo: Repo) -> None:
    assert repo.patch(repo.start_upload(), random_blob(CHUNK), f"{CHUNK}-{2 * CHUNK - 1}").status == 416


@pytest.mark.parametrize("start", [0, CHUNK - 1, CHUNK + 1, 5 * CHUNK])
@endpoint("end-5", "MUST")
def test_end_5_a_chunk_out_of_order_is_416_and_the_upload_goes_on_all_the_same(repo: Repo, start: int) -> None:
    content = random_blob(2 * CHUNK)
    first = repo.patch(repo.start_upload(), content[:CHUNK], f"0-{CHUNK - 1}")
    location = first.headers["Location"]
    assert repo.patch(location, random_blob(CHUNK), f"{start}-{start + CHUNK - 1}").status == 416
    status = repo.client.request("GET", location)
    assert (status.status, status.headers["Range"]) == (204, f"0-{CHUNK - 1}")
    second = repo.patch(status.headers["Location"], content[CHUNK:], f"{CHUNK}-{2 * CHUNK - 1}")
    assert second.status == 202
    assert_pullable(repo, repo.close(second.headers["Location"], digest_of(content)), content)


@endpoint("end-6", "MUST", since="main")
def test_end_6_a_last_chunk_out_of_order_is_416_and_the_upload_goes_on_all_the_same(repo: Repo) -> None:
    content = random_blob(2 * CHUNK)
    digest = digest_of(content)
    first = repo.patch(repo.start_upload(), content[:CHUNK], f"0-{CHUNK - 1}")
    location = first.headers["Location"]
    refused = repo.close(location, digest, random_blob(CHUNK), f"{2 * CHUNK}-{3 * CHUNK - 1}")
    assert refused.status == 416
    status = repo.client.request("GET", location)
    assert (status.status, status.headers["Range"]) == (204, f"0-{CHUNK - 1}")
    answer = repo.close(status.headers["Location"], digest, content[CHUNK:], f"{CHUNK}-{2 * CHUNK - 1}")
    assert_pullable(repo, answer, content)


@pytest.mark.parametrize("content_range", ["zero-ten", "-", "0", "5-0", "0-", "-9"])
@endpoint("end-5", "MUST")
def test_end_5_a_content_range_outside_of_the_grammar_is_refused(repo: Repo, content_range: str) -> None:
    repo.assert_refused(repo.patch(repo.start_upload(), random_blob(10), content_range), (400, 416))


@endpoint("end-5", "MUST")
def test_end_5_a_content_range_of_another_length_than_the_chunk_is_refused(repo: Repo) -> None:
    repo.assert_refused(repo.patch(repo.start_upload(), random_blob(10), "0-99"), (400, 416), "SIZE_INVALID")


@pytest.mark.parametrize("chunked", [True, False], ids=["transfer-encoding", "content-length"])
@endpoint("end-5", "MUST")
def test_end_5_a_stream_without_a_content_range_is_taken(repo: Repo, chunked: bool) -> None:
    content = random_blob(200_000)
    body = iter((content[:70_000], content[70_000:])) if chunked else content
    answer = repo.patch(repo.start_upload(), body)
    assert (answer.status, answer.headers["Range"]) == (202, f"0-{len(content) - 1}")
    assert_pullable(repo, repo.close(answer.headers["Location"], digest_of(content)), content)


@endpoint("end-5", "MUST")
def test_end_5_a_session_that_is_not_there_is_404(repo: Repo) -> None:
    answer = repo.patch(repo.path(NO_UPLOAD), random_blob())
    repo.assert_refused(answer, 404, "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID")


@endpoint("end-5", "MUST")
def test_end_5_a_session_belongs_to_its_repository(repo: Repo, other: Repo) -> None:
    location = repo.start_upload()
    foreign = location.replace(repo.name, other.name)
    assert other.patch(foreign, random_blob()).status == 404


@endpoint("end-6", "SHOULD", since="main")
def test_end_6_chunks_with_a_wrong_digest_are_400(repo: Repo) -> None:
    answer = repo.patch(repo.start_upload(), random_blob(CHUNK), f"0-{CHUNK - 1}")
    repo.assert_refused(repo.close(answer.headers["Location"], unknown_digest()), 400, "DIGEST_INVALID")


# ── asking and cancelling ─────────────────────────────────────────────────────────────────────


@endpoint("end-13", "MUST")
def test_end_13_the_status_of_an_upload_is_204_with_a_location_and_the_range_so_far(repo: Repo) -> None:
    content = random_blob(CHUNK)
    location = repo.patch(repo.start_upload(), content, f"0-{CHUNK - 1}").headers["Location"]
    answer = repo.client.request("GET", location)
    assert (answer.status, answer.headers["Range"]) == (204, f"0-{CHUNK - 1}")
    assert_pullable(repo, repo.close(answer.headers["Location"], digest_of(content)), content)


@endpoint("end-13", "MUST")
def test_end_13_the_status_can_be_asked_before_the_first_chunk(repo: Repo) -> None:
    answer = repo.client.request("GET", repo.start_upload())
    assert answer.status == 204
    assert answer.headers["Location"]
    assert answer.headers["Range"].startswith("0-")


@endpoint("end-13", "MUST")
def test_end_13_a_session_that_is_not_there_is_404(repo: Repo) -> None:
    answer = repo.request("GET", NO_UPLOAD)
    repo.assert_refused(answer, 404, "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID")


@endpoint("end-13", "MUST")
def test_end_13_a_session_that_is_closed_is_404(repo: Repo) -> None:
    content, location = random_blob(), repo.start_upload()
    assert repo.close(location, digest_of(content), content).status == 201
    assert repo.client.request("GET", location).status == 404


@endpoint("end-14", "SHOULD", since="main")
def test_end_14_a_session_is_cancelled_with_204_and_then_gone(repo: Repo) -> None:
    location = repo.patch(repo.start_upload(), random_blob(CHUNK), f"0-{CHUNK - 1}").headers["Location"]
    assert repo.client.request("DELETE", location).status == 204
    assert repo.client.request("GET", location).status == 404
    assert repo.client.request("DELETE", location).status == 404


@endpoint("end-14", "SHOULD", since="main")
def test_end_14_a_session_without_a_chunk_can_be_cancelled(repo: Repo) -> None:
    assert repo.client.request("DELETE", repo.start_upload()).status == 204


@endpoint("end-14", "MUST", since="main")
def test_end_14_a_session_that_is_not_there_is_refused(repo: Repo) -> None:
    repo.assert_refused(repo.request("DELETE", NO_UPLOAD), (404, 400), "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID")


# ── mounting ──────────────────────────────────────────────────────────────────────────────────


def mount(repo: Repo, digest: str, source: str = "") -> Response:
    return repo.request("POST", f"blobs/uploads/?mount={digest}" + (f"&from={source}" if source else ""), b"")


@endpoint("end-11", "MUST")
def test_end_11_a_blob_is_mounted_with_201_and_a_location_to_pull_from(repo: Repo, other: Repo) -> None:
    content = random_blob()
    digest = other.push_blob(content)
    answer = mount(repo, digest, other.name)
    repo.target.optional(answer.status != 202, "mounting from another repository")
    assert_pullable(repo, answer, content)
    assert repo.blob(digest).body == content


@endpoint("end-11", "MAY")
def test_end_11_a_blob_is_mounted_without_saying_from_where(repo: Repo, other: Repo) -> None:
    content = random_blob()
    answer = mount(repo, other.push_blob(content))
    repo.target.optional(answer.status != 202, "mounting without `from`")
    assert_pullable(repo, answer, content)


@pytest.mark.parametrize("source", ["a repository without it", "no repository", ""])
@endpoint("end-11", "SHOULD")
def test_end_11_what_cannot_be_mounted_is_an_upload_session(repo: Repo, other: Repo, source: str) -> None:
    content = random_blob()
    if source == "a repository without it":
        other.push_blob(random_blob())
    answer = mount(repo, digest_of(content), other.name if source else "")
    assert answer.status == 202
    assert_pullable(repo, repo.close(answer.headers["Location"], digest_of(content), content), content)


@endpoint("end-11", "MUST")
def test_end_11_a_mounted_blob_outlives_the_one_it_was_mounted_from(repo: Repo, other: Repo) -> None:
    content = random_blob()
    digest = other.push_blob(content)
    answer = mount(repo, digest, other.name)
    repo.target.optional(answer.status != 202, "mounting from another repository")
    deleted = other.request("DELETE", f"blobs/{digest}")
    repo.target.optional(deleted.status not in (400, 405), "deleting blobs")
    assert repo.blob(digest).body == content


@endpoint("end-6", "MUST")
def test_end_6_a_location_may_have_a_query_of_its_own(repo: Repo) -> None:
    content = random_blob()
    location = with_query(repo.start_upload(), unknown="parameter")
    answer = repo.close(location, digest_of(content), content)
    assert_pullable(repo, answer, content)
