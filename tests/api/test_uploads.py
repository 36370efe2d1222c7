"""Uploads: at once, in any number of pieces, asked after, cancelled (end-4, end-5, end-6, end-13)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.wire import digest_of, with_query

if TYPE_CHECKING:
    from tests.api.inprocess import InProcess

CONTENT = b"0123456789" * 30
DIGEST = digest_of(CONTENT)
PIECES = [CONTENT[:100], CONTENT[100:101], CONTENT[101:]]


@pytest.fixture
def location(client: InProcess) -> str:
    return client.start_upload("a/b")


def test_a_started_upload_says_where_to_go_on(client: InProcess) -> None:
    answer = client.request("POST", "/v2/a/b/blobs/uploads/", b"")
    assert answer.status == 202
    upload_id = answer.headers["Docker-Upload-UUID"]
    assert urlsplit(answer.headers["Location"]).path == f"/v2/a/b/blobs/uploads/{upload_id}"
    assert answer.headers["Range"] == "0-0"
    assert answer.headers["Content-Length"] == "0"


def test_an_upload_can_be_started_without_the_last_slash(client: InProcess) -> None:
    assert client.request("POST", "/v2/a/b/blobs/uploads", b"").status == 202


def test_each_upload_is_one_of_its_own(client: InProcess) -> None:
    assert client.start_upload("a/b") != client.start_upload("a/b")


# ── at once ───────────────────────────────────────────────────────────────────────────────────


def test_a_blob_can_be_sent_in_the_put_that_ends_the_upload(client: InProcess, location: str) -> None:
    answer = client.request("PUT", with_query(location, digest=DIGEST), CONTENT)
    assert (answer.status, answer.body, answer.digest) == (201, b"", DIGEST)
    assert client.request("GET", answer.headers["Location"]).body == CONTENT


def test_a_blob_can_be_sent_in_a_single_post(client: InProcess) -> None:
    answer = client.request("POST", f"/v2/a/b/blobs/uploads/?digest={DIGEST}", CONTENT)
    assert (answer.status, answer.digest) == (201, DIGEST)
    assert urlsplit(answer.headers["Location"]).path == f"/v2/a/b/blobs/{DIGEST}"
    assert client.blob("a/b", DIGEST).body == CONTENT


def test_a_single_post_may_be_chunked(client: InProcess) -> None:
    assert client.request("POST", f"/v2/a/b/blobs/uploads/?digest={DIGEST}", iter(PIECES)).status == 201
    assert client.blob("a/b", DIGEST).body == CONTENT


def test_a_post_with_a_digest_and_no_body_opens_a_session(client: InProcess) -> None:
    answer = client.request("POST", f"/v2/a/b/blobs/uploads/?digest={DIGEST}", b"")
    assert answer.status == 202
    assert client.request("PUT", with_query(answer.headers["Location"], digest=DIGEST), CONTENT).status == 201


# ── in pieces ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("chunked", [False, True], ids=["with Content-Length", "chunked"])
@pytest.mark.parametrize("ranged", [False, True], ids=["without Content-Range", "with Content-Range"])
def test_a_blob_can_be_sent_in_pieces(client: InProcess, location: str, chunked: bool, ranged: bool) -> None:
    size = 0
    for piece in PIECES:
        headers = {"Content-Range": f"{size}-{size + len(piece) - 1}"} if ranged else {}
        answer = client.request("PATCH", location, iter([piece]) if chunked else piece, headers)
        size += len(piece)
        location = answer.headers["Location"]
        assert (answer.status, answer.headers["Range"]) == (202, f"0-{size - 1}")
    assert client.request("PUT", with_query(location, digest=DIGEST), b"").status == 201
    assert client.blob("a/b", DIGEST).body == CONTENT


@pytest.mark.parametrize("form", ["{}-{}", "bytes={}-{}", "bytes {}-{}/300", "{}-{}/*"])
def test_content_range_may_be_written_as_the_rfc_or_as_docker_does(client: InProcess, location: str, form: str) -> None:
    client.request("PATCH", location, CONTENT[:100])
    assert client.request("PATCH", location, CONTENT[100:], {"Content-Range": form.format(100, 299)}).status == 202
    assert client.request("PUT", with_query(location, digest=DIGEST), b"").status == 201


@pytest.mark.parametrize("headers", [{}, {"Content-Range": "100-299"}], ids=["bare", "with Content-Range"])
def test_the_last_piece_may_come_with_the_put(client: InProcess, location: str, headers: dict[str, str]) -> None:
    client.request("PATCH", location, CONTENT[:100])
    assert client.request("PUT", with_query(location, digest=DIGEST), CONTENT[100:], headers).status == 201
    assert client.blob("a/b", DIGEST).body == CONTENT


def test_an_empty_piece_changes_nothing(client: InProcess, location: str) -> None:
    client.request("PATCH", location, CONTENT[:100])
    assert client.request("PATCH", location, b"").headers["Range"] == "0-99"
    assert client.request("PATCH", location, iter([])).headers["Range"] == "0-99"
    assert client.request("PUT", with_query(location, digest=DIGEST), CONTENT[100:]).status == 201


def test_an_empty_blob_can_be_uploaded(client: InProcess, location: str) -> None:
    assert client.request("PUT", with_query(location, digest=digest_of(b"")), b"").status == 201
    assert client.blob("a/b", digest_of(b"")).body == b""


def test_two_uploads_of_one_blob_both_succeed(client: InProcess) -> None:
    first, second = client.start_upload("a/b"), client.start_upload("a/b")
    for location in (first, second):
        client.request("PATCH", location, CONTENT)
    for location in (first, second):
        assert client.request("PUT", with_query(location, digest=DIGEST), b"").status == 201
    assert client.blob("a/b", DIGEST).body == CONTENT


def test_the_session_may_have_a_query_of_its_own(client: InProcess, location: str) -> None:
    assert client.request("PUT", with_query(f"{location}?_state=x", digest=DIGEST), CONTENT).status == 201


# ── other algorithms ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_a_blob_is_served_under_the_clients_digest_and_the_canonical_one(
    client: InProcess, location: str, algorithm: str
) -> None:
    digest = f"{algorithm}:{hashlib.new(algorithm, CONTENT).hexdigest()}"
    client.request("PATCH", location, CONTENT[:100])
    answer = client.request("PUT", with_query(location, digest=digest), CONTENT[100:])
    assert (answer.status, answer.digest) == (201, digest)
    assert urlsplit(answer.headers["Location"]).path == f"/v2/a/b/blobs/{digest}"
    for name in (digest, DIGEST):
        got = client.blob("a/b", name)
        assert (got.status, got.body, got.digest) == (200, CONTENT, name)


# ── asking and cancelling ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("sent", "last"), [(b"", 0), (b"x", 0), (CONTENT, 299)])
def test_the_status_says_how_much_has_arrived(
    client: InProcess, location: str, method: str, sent: bytes, last: int
) -> None:
    client.request("PATCH", location, sent)
    answer = client.request(method, location)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Range"] == f"0-{last}"
    assert urlsplit(answer.headers["Location"]).path == urlsplit(location).path
    assert answer.headers["Docker-Upload-UUID"] == location.rpartition("/")[2]


@pytest.mark.parametrize("sent", [b"", CONTENT])
def test_a_cancelled_upload_is_unknown(client: InProcess, location: str, sent: bytes) -> None:
    client.request("PATCH", location, sent)
    answer = client.request("DELETE", location)
    assert (answer.status, answer.body) == (204, b"")
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        assert client.request(method, with_query(location, digest=DIGEST), b"").status == 404
    assert client.blob("a/b", DIGEST).status == 404


def test_a_finished_upload_is_unknown(client: InProcess, location: str) -> None:
    client.request("PUT", with_query(location, digest=DIGEST), CONTENT)
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        assert client.request(method, with_query(location, digest=DIGEST), b"").status == 404
    assert client.blob("a/b", DIGEST).body == CONTENT


def test_an_upload_is_of_its_repository_alone(client: InProcess, location: str) -> None:
    elsewhere = location.replace("/a/b/", "/a/c/")
    assert client.request("GET", elsewhere).status == 404
    assert client.request("PUT", with_query(elsewhere, digest=DIGEST), CONTENT).status == 404
