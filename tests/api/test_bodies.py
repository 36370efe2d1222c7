"""Reading bodies: how much is taken of them, and what becomes of those that fail or do not say where they end."""

from __future__ import annotations

import gc
from io import RawIOBase
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.api.bodies import BLOCK, RequestBody
from registry_wsgi.errors import SizeInvalid
from tests.api.bad_input import BEGUN, LIMIT, WRONG
from tests.api.inprocess import BreakingStream
from tests.wire import digest_of, with_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.inprocess import InProcess


class CountingStream(RawIOBase):
    """A body without end, which counts what is taken of it."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        self.taken += size
        return b" " * size


@pytest.mark.parametrize(
    ("length", "least", "most"),
    [(LIMIT + 1, LIMIT + 1, LIMIT + 1), (10**18, 0, 0), (None, 2 * LIMIT, 4 * LIMIT)],
    ids=["just over", "far over", "chunked"],
)
def test_of_a_manifest_over_the_limit_a_bounded_rest_is_read_so_that_the_answer_is_heard(
    client: InProcess, length: int | None, least: int, most: int
) -> None:
    stream = CountingStream()
    answer = client.send("PUT", "/v2/a/manifests/v1", stream, length)
    assert (answer.status, answer.json()["errors"][0]["code"]) == (413, "MANIFEST_INVALID")
    assert least <= stream.taken <= most


def test_of_a_body_no_more_than_its_length_is_read(client: InProcess) -> None:
    stream = CountingStream()
    answer = client.send("PATCH", client.start_upload("a"), stream, 3_000_000)
    assert (answer.status, answer.headers["Range"]) == (202, "0-2999999")
    assert stream.taken == 3_000_000


def test_large_bodies_share_what_is_read_at_once() -> None:
    def body() -> Iterator[bytes]:
        return RequestBody({"wsgi.input": CountingStream(), "CONTENT_LENGTH": str(10**9)}).blocks()

    def later(blocks: Iterator[bytes]) -> int:
        return [len(next(blocks)) for _ in range(200)][-1]

    gc.collect()  # what other tests left in a cycle counts as well
    first = body()
    assert len(next(first)) == BLOCK
    alone = later(first)
    assert alone == 16 * BLOCK
    others = [body() for _ in range(3)]
    assert [later(each) for each in (*others, first)] == [alone // 2, alone // 3, alone // 4, alone // 4]
    more = [body() for _ in range(30)]
    begun = [later(each) for each in more]
    assert begun[0] > BLOCK
    assert {later(each) for each in (*more, first)} == {BLOCK}
    del others, more
    assert later(first) == BLOCK, "the memory of those that ended is in pieces"
    del first
    assert later(body()) == alone


@pytest.mark.parametrize("length", [10**12, None], ids=["long", "chunked"])
def test_of_a_body_that_nobody_wants_no_more_than_a_little_is_read(client: InProcess, length: int | None) -> None:
    stream = CountingStream()
    assert client.send("PATCH", "/v2/a/blobs/uploads/none", stream, length).status == 404
    assert stream.taken == 0


def test_a_short_body_that_nobody_wants_is_read_so_that_the_answer_is_heard(client: InProcess) -> None:
    stream = CountingStream()
    assert client.send("PATCH", "/v2/a/blobs/uploads/none", stream, 1000).status == 404
    assert stream.taken == 1000


def test_a_client_that_waits_for_leave_to_send_is_not_asked_for_what_nobody_wants(client: InProcess) -> None:
    stream = CountingStream()
    answer = client.send("PATCH", "/v2/a/blobs/uploads/none", stream, 1000, {"Expect": "100-continue"})
    assert (answer.status, stream.taken) == (404, 0)


@pytest.mark.parametrize("error", [OSError("reset"), ValueError("bad chunk"), ConnectionResetError(), TimeoutError()])
@pytest.mark.parametrize("length", [100, None], ids=["with a length", "chunked"])
def test_what_arrived_before_the_stream_failed_stays(client: InProcess, length: int | None, error: Exception) -> None:
    location = client.start_upload("a")
    answer = client.send("PATCH", location, BreakingStream(b"some", error), length)
    assert (answer.status, answer.json()["errors"][0]["code"]) == (400, "SIZE_INVALID")
    assert client.request("GET", location).headers["Range"] == "0-3"
    assert client.request("PUT", with_query(location, digest=digest_of(b"some more")), b" more").status == 201


@pytest.mark.parametrize("length", ["abc", "-1", "1e3", "1_000", "+5", " 5", "٣", "0x5", "5, 5"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(SizeInvalid):
        RequestBody({"CONTENT_LENGTH": length, "wsgi.input": CountingStream()})


@pytest.mark.parametrize(
    "request_line",
    [
        "PATCH {upload}",
        f"PUT {{upload}}?digest={WRONG}",
        f"POST /v2/a/blobs/uploads/?digest={WRONG}",
        "PUT /v2/a/manifests/v1",
    ],
)
def test_a_chunked_body_is_refused_where_the_server_does_not_hand_it_on(client: InProcess, request_line: str) -> None:
    location = client.request("PATCH", client.start_upload("a"), BEGUN).headers["Location"]
    method, target = request_line.replace("{upload}", location).split(" ")
    stream = CountingStream()
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": False}
    answer = client.send(method, target, stream, None, **environ)
    error = answer.json()["errors"][0]
    assert (answer.status, error["code"], stream.taken) == (411, "SIZE_INVALID", 0)
    assert "Content-Length" in error["detail"]
    assert client.request("GET", location).headers["Range"] == "0-4"


@pytest.mark.parametrize("length", ["9" * 20, "9" * 5000, "-1", "+5", "0x5", "1_0", "\uff15", "5, 5"])
def test_a_content_length_that_is_no_number_of_bytes_is_the_clients_mistake(length: str) -> None:
    with pytest.raises(SizeInvalid, match="is no number of bytes"):
        RequestBody({"CONTENT_LENGTH": length, "wsgi.input": CountingStream()})
