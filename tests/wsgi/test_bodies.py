"""Request bodies through real WSGI servers: streamed, broken off, met by others, resumed elsewhere."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.images import CHUNK, MB, digest_of_chunks, random_chunks
from tests.wire import Client, chunk, digest_of, with_query
from tests.wsgi.uploading import CONCURRENT, SERVERS, finish, received

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.wire import Response

CONTENT = random.Random("bodies").randbytes(6 * MB)
HALF = len(CONTENT) // 2


@pytest.fixture
def location(client: Client) -> str:
    """Return the Location of an upload to a repository of its own, where nothing else can make a digest known."""
    return client.start_upload(f"bodies/{uuid4()}")


def repository(location: str) -> str:
    return location.removeprefix("/v2/").partition("/blobs/")[0]


# ── whole ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", SERVERS)
def test_a_chunked_push_of_200_mb_has_the_right_digest(client: Client, location: str) -> None:
    digest = digest_of_200_mb()
    answer = client.request("PATCH", location, random_chunks(200 * MB, "push"))
    assert (answer.status, answer.headers["Range"]) == (202, f"0-{200 * MB - 1}")
    answer = client.request("PUT", with_query(location, digest=digest), b"")
    assert (answer.status, answer.digest) == (201, digest)
    head = client.request("HEAD", answer.headers["Location"])
    assert head.headers["Content-Length"] == str(200 * MB)


@cache
def digest_of_200_mb() -> str:
    return digest_of_chunks(random_chunks(200 * MB, "push"))


@pytest.mark.parametrize("kind", SERVERS)
def test_a_blob_comes_whole_in_a_chunked_put(client: Client, location: str) -> None:
    pieces = [CONTENT[at : at + CHUNK] for at in range(0, len(CONTENT), CHUNK)]
    answer = client.request("PUT", with_query(location, digest=digest_of(CONTENT)), pieces)
    assert answer.status == 201
    assert client.request("GET", answer.headers["Location"]).body == CONTENT


def test_a_chunked_body_is_refused_in_words_by_a_server_that_does_not_hand_it_on(serve: Serve) -> None:
    client = Client(serve(kind="wsgiref").url)
    location = client.start_upload("a")
    for method, target in (("PATCH", location), ("PUT", with_query(location, digest=digest_of(b"")))):
        answer = client.request(method, target, iter([b"content"]))
        error = answer.json()["errors"][0]
        assert (answer.status, error["code"]) == (411, "SIZE_INVALID")
        assert "Content-Length" in error["detail"]
    assert client.request("PUT", with_query(location, digest=digest_of(b"content")), b"content").status == 201


# ── broken off ────────────────────────────────────────────────────────────────────────────────


def break_off(client: Client, kind: str, method: str, location: str, digest: str, *, chunked: bool) -> None:
    """Send the first half of the content, and die once the registry is at it, if that can be seen."""
    target = with_query(location, digest=digest)
    headers = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(CONTENT))}
    half = chunk(CONTENT[:HALF]) if chunked else CONTENT[:HALF]
    if kind in CONCURRENT:
        with client.writing(method, target, headers, half, location):
            pass
    else:
        with client.begun(method, target, headers) as connection:
            connection.sendall(half)


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("chunked", [False, True], ids=["with Content-Length", "chunked"])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_upload_whose_client_died_goes_on_from_what_its_status_says(
    client: Client, location: str, kind: str, method: str, chunked: bool
) -> None:
    whole, half = digest_of(CONTENT), digest_of(CONTENT[:HALF])
    break_off(client, kind, method, location, whole, chunked=chunked)
    for digest in (whole, half):
        assert client.request("HEAD", f"/v2/{repository(location)}/blobs/{digest}").status == 404
    finish(client, location, CONTENT)
    assert client.blob(repository(location), whole).body == CONTENT
    assert client.blob(repository(location), half).status == 404


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("chunked", [False, True], ids=["with Content-Length", "chunked"])
def test_a_single_post_whose_client_died_leaves_nothing(client: Client, kind: str, chunked: bool) -> None:
    name = f"bodies/{uuid4()}"
    headers = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(CONTENT))}
    with client.begun("POST", f"/v2/{name}/blobs/uploads/?digest={digest_of(CONTENT)}", headers) as connection:
        connection.sendall(chunk(CONTENT[:HALF]) if chunked else CONTENT[:HALF])
    assert client.blob(name, digest_of(CONTENT)).status == 404
    client.push_blob(name, CONTENT)
    assert client.blob(name, digest_of(CONTENT)).body == CONTENT


# ── met by others ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", CONCURRENT)
def test_an_upload_that_is_being_written_is_busy_to_others(client: Client, location: str) -> None:
    half = chunk(CONTENT[:HALF])
    with client.writing("PATCH", location, {"Transfer-Encoding": "chunked"}, half, location) as connection:
        for answer in (
            client.request("PATCH", location, b"other"),
            client.request("PUT", with_query(location, digest=digest_of(b"other")), b"other"),
            client.request("DELETE", location),
        ):
            check_busy(answer)
        assert received(client, location) <= HALF
        connection.sendall(chunk(CONTENT[HALF:]) + chunk(b""))
        assert connection.recv(1000).startswith(b"HTTP/1.1 202")
    assert client.request("PUT", with_query(location, digest=digest_of(CONTENT)), b"").status == 201


def check_busy(answer: Response) -> None:
    assert (answer.status, answer.json()["errors"][0]["code"]) == (429, "TOOMANYREQUESTS")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("kind", SERVERS)
def test_of_patches_at_once_each_is_taken_whole_or_refused(client: Client, location: str, kind: str) -> None:
    pieces = [bytes([number]) * (100_000 + number) for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda piece: client.request("PATCH", location, piece), pieces))
    assert {answer.status for answer in answers} <= {202, 429}
    taken = [(end(answer), piece) for answer, piece in zip(answers, pieces, strict=True) if answer.status == 202]
    content = b"".join(piece for _, piece in sorted(taken))
    assert received(client, location) == len(content) > 0
    assert client.request("PUT", with_query(location, digest=digest_of(content)), b"").status == 201


def end(answer: Response) -> int:
    return int(answer.headers["Range"].partition("-")[2])


# ── resumed elsewhere ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kinds", [("granian", "gthread"), ("waitress", "granian")], ids=" and ".join)
def test_an_upload_goes_on_in_another_process_on_the_same_directory(
    serve: Serve, tmp_path: Path, kinds: tuple[str, str]
) -> None:
    clients = [Client(serve(tmp_path / "data", kind=kind).url) for kind in kinds]
    location = clients[0].start_upload("a")
    for at in range(0, len(CONTENT), CHUNK):
        answer = clients[at // CHUNK % 2].request("PATCH", location, iter([CONTENT[at : at + CHUNK]]))
        location = answer.headers["Location"]
        assert answer.status == 202
    assert clients[1].request("PUT", with_query(location, digest=digest_of(CONTENT)), b"").status == 201
    assert clients[0].blob("a", digest_of(CONTENT)).body == CONTENT


@pytest.mark.parametrize("kind", ["gunicorn", "gthread"])
def test_an_upload_goes_on_in_any_worker(serve: Serve, kind: str) -> None:
    client = Client(serve(kind=kind, arguments=["--workers", "3"]).url)
    location = client.start_upload("a")
    for at in range(0, len(CONTENT), 300_000):
        location = client.request("PATCH", location, CONTENT[at : at + 300_000]).headers["Location"]
    assert client.request("PUT", with_query(location, digest=digest_of(CONTENT)), b"").status == 201
    assert client.blob("a", digest_of(CONTENT)).body == CONTENT
