"""Reading and deleting blobs: whole, in ranges, on conditions (end-2, end-10; RFC 9110 §13 and §14)."""

from __future__ import annotations

import email
import random
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.api import sending
from tests.wire import Response, digest_of

if TYPE_CHECKING:
    from tests.api.inprocess import InProcess

CONTENT = bytes(range(256)) * 4
SIZE = len(CONTENT)
DIGEST = digest_of(CONTENT)
PATH = f"/v2/a/b/blobs/{DIGEST}"
OTHER = digest_of(b"other")


@pytest.fixture
def blob(client: InProcess) -> InProcess:
    client.push_blob("a/b", CONTENT)
    return client


def get(client: InProcess, **headers: str) -> Response:
    return client.request("GET", PATH, headers={name.replace("_", "-"): value for name, value in headers.items()})


def parts(answer: Response) -> list[tuple[str, bytes]]:
    """Return the ranges and the contents of a multipart answer, as another's parser reads it."""
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.body)
    return [(part["Content-Range"], part.get_payload(decode=True)) for part in message.get_payload()]


# ── whole ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("most", [None, 2 * sending.BLOCK], ids=["a driver's", "of its own"])
def test_the_blocks_of_a_blob_grow_with_what_was_sent(most: int | None) -> None:
    content = random.Random(1).randbytes(20_000_001)
    reader = BytesIO(content)
    if most is not None:
        reader = Blockwise(content, most)
    blocks = list(sending.whole({}, reader, len(content)))
    assert b"".join(blocks) == content
    sizes = [len(block) for block in blocks[:-1]]
    assert sizes == sorted(sizes)
    assert sum(sizes[:8]) <= sending.BLOCK * 2, "to one who reads nothing little is handed over"
    assert sizes[-1] == (most or sending.BLOCK)
    assert reader.closed


class Blockwise(BytesIO):
    """A reader that says how many bytes it is best read by."""

    def __init__(self, content: bytes, block: int) -> None:
        super().__init__(content)
        self.block = block


def test_a_blob_comes_back_with_its_digest_its_size_and_an_entity_tag(blob: InProcess) -> None:
    answer = get(blob)
    assert (answer.status, answer.body) == (200, CONTENT)
    assert dict(answer.headers) == {
        "Docker-Content-Digest": DIGEST,
        "ETag": f'"{DIGEST}"',
        "Cache-Control": "max-age=31536000",
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        "Content-Length": str(SIZE),
        "Docker-Distribution-API-Version": "registry/2.0",
    }


def test_head_has_the_headers_of_get_and_no_body(blob: InProcess) -> None:
    head = blob.request("HEAD", PATH)
    assert (head.status, head.body) == (200, b"")
    assert dict(head.headers) == dict(get(blob).headers)


@pytest.mark.parametrize("content", [b"", b"x", b"block" * 300_000], ids=["empty", "one byte", "more than a block"])
def test_blobs_of_any_size_come_back_identical(client: InProcess, content: bytes) -> None:
    digest = client.push_blob("a/b", content)
    answer = client.blob("a/b", digest)
    assert answer.body == content
    assert answer.headers["Content-Length"] == str(len(content))


def test_a_blob_of_another_repository_is_unknown(blob: InProcess) -> None:
    assert blob.blob("a", DIGEST).status == 404
    assert blob.request("HEAD", f"/v2/a/blobs/{DIGEST}").status == 404


# ── ranges ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("header", "begin", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-99", 10, 100),
        ("bytes=1000-", 1000, SIZE),
        (f"bytes=0-{SIZE - 1}", 0, SIZE),
        ("bytes=1000-99999999999999999999", 1000, SIZE),
        ("bytes=-24", SIZE - 24, SIZE),
        ("bytes=-99999", 0, SIZE),
        ("bytes = 5-6", 5, 7),
        ("bytes=7-8,2000-3000", 7, 9),
    ],
)
def test_a_range_comes_alone_and_says_where_it_is_from(blob: InProcess, header: str, begin: int, end: int) -> None:
    answer = get(blob, Range=header)
    assert (answer.status, answer.body) == (206, CONTENT[begin:end])
    assert answer.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(end - begin)
    assert answer.headers["Docker-Content-Digest"] == DIGEST


def test_several_ranges_come_as_parts(blob: InProcess) -> None:
    answer = get(blob, Range="bytes=0-1,500-509,-3")
    assert answer.status == 206
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert "Content-Range" not in answer.headers
    assert parts(answer) == [
        (f"bytes 0-1/{SIZE}", CONTENT[:2]),
        (f"bytes 500-509/{SIZE}", CONTENT[500:510]),
        (f"bytes {SIZE - 3}-{SIZE - 1}/{SIZE}", CONTENT[-3:]),
    ]


@pytest.mark.parametrize(
    "header",
    [
        "bytes=9-5",
        "bytes=a-b",
        "bytes=",
        "bytes=-",
        "bytes",
        "lines=0-5",
        "bytes=0-1;2-3",
        "bytes=0-1000,0-1000",
        "bytes=500-600,0-1",
        "bytes=-0",
        "bytes=" + ",".join(f"{at}-{at}" for at in range(100)),
    ],
)
def test_a_range_that_means_nothing_or_too_much_is_ignored(blob: InProcess, header: str) -> None:
    answer = get(blob, Range=header)
    assert (answer.status, answer.body) == (200, CONTENT)


@pytest.mark.parametrize("header", [f"bytes={SIZE}-", "bytes=5000-6000", "bytes=5000-6000,9000-9001"])
def test_a_range_outside_of_the_blob_is_refused_with_its_size(blob: InProcess, header: str) -> None:
    answer = get(blob, Range=header)
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
    assert answer.json()["errors"][0]["code"] == "SIZE_INVALID"


def test_no_range_of_an_empty_blob_can_be_had(client: InProcess) -> None:
    digest = client.push_blob("a/b", b"")
    assert client.request("GET", f"/v2/a/b/blobs/{digest}", headers={"Range": "bytes=0-"}).status == 416


@pytest.mark.parametrize(
    ("if_range", "status"),
    [(f'"{DIGEST}"', 206), (f'"{OTHER}"', 200), (f'W/"{DIGEST}"', 200), ("Wed, 21 Oct 2015 07:28:00 GMT", 200)],
    ids=["the same content", "other content", "a weak tag", "a date"],
)
def test_a_range_is_heeded_only_if_if_range_names_this_very_content(
    blob: InProcess, if_range: str, status: int
) -> None:
    answer = get(blob, Range="bytes=0-3", If_Range=if_range)
    assert answer.status == status
    assert answer.body == (CONTENT[:4] if status == 206 else CONTENT)


# ── conditions ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("tag", [f'"{DIGEST}"', DIGEST, f'W/"{DIGEST}"', "*", f'"{OTHER}", "{DIGEST}"'])
def test_what_the_client_has_is_not_sent_again(blob: InProcess, method: str, tag: str) -> None:
    answer = blob.request(method, PATH, headers={"If-None-Match": tag})
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["ETag"] == f'"{DIGEST}"'
    assert answer.headers["Docker-Content-Digest"] == DIGEST
    assert "Content-Type" not in answer.headers


@pytest.mark.parametrize("tag", [f'"{OTHER}"', OTHER, '""', DIGEST[:-1]])
def test_what_the_client_has_not_is_sent(blob: InProcess, tag: str) -> None:
    answer = get(blob, If_None_Match=tag)
    assert (answer.status, answer.body) == (200, CONTENT)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("tag", "status"),
    [(f'"{DIGEST}"', 200), ("*", 200), (f'"{OTHER}", "{DIGEST}"', 200), (f'"{OTHER}"', 412), (f'W/"{DIGEST}"', 412)],
)
def test_if_match_is_a_condition(blob: InProcess, method: str, tag: str, status: int) -> None:
    assert blob.request(method, PATH, headers={"If-Match": tag}).status == status


@pytest.mark.parametrize("header", ["If-None-Match", "If-Match"])
def test_no_condition_makes_an_unknown_blob_known(client: InProcess, header: str) -> None:
    assert client.request("GET", PATH, headers={header: "*"}).status == 404


# ── deletion ──────────────────────────────────────────────────────────────────────────────────


def test_a_deleted_blob_is_unknown_and_can_be_pushed_again(blob: InProcess) -> None:
    answer = blob.request("DELETE", PATH)
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (202, b"", "0")
    assert get(blob).status == 404
    assert blob.delete("a/b", "blobs", DIGEST) == 404
    blob.push_blob("a/b", CONTENT)
    assert get(blob).body == CONTENT


def test_a_deleted_blob_stays_where_another_repository_has_it(blob: InProcess) -> None:
    blob.push_blob("other", CONTENT)
    assert blob.delete("a/b", "blobs", DIGEST) == 202
    assert blob.blob("other", DIGEST).body == CONTENT
