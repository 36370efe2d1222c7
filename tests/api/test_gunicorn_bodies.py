"""What is taken out of gunicorn's own readers is the body and no byte of the next request."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.unreader import IterUnreader, SocketUnreader

from registry_wsgi.api.bodies import RequestBody
from registry_wsgi.api.gunicorn import direct_read
from registry_wsgi.errors import SizeInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTENT = bytes(range(256)) * 1500
CHUNKS = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (CONTENT[:70_000], CONTENT[70_000:])) + b"0\r\n\r\n"
NEXT = b"GET /v2/ HTTP/1.1\r\n\r\n"


@pytest.fixture
def client_and_server() -> Iterator[tuple[socket.socket, socket.socket]]:
    client, server = socket.socketpair()
    with client, server:
        for end in (client, server):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * len(CONTENT))
        yield client, server


def with_length(unreader: Any) -> tuple[Body, dict[str, Any]]:
    return Body(LengthReader(unreader, len(CONTENT))), {"CONTENT_LENGTH": str(len(CONTENT))}


def chunked(unreader: Any) -> tuple[Body, dict[str, Any]]:
    return Body(ChunkedReader(None, unreader)), {"HTTP_TRANSFER_ENCODING": "chunked"}


def append_each(taken: bytearray, blocks: Iterator[bytes]) -> None:
    for block in blocks:
        taken += block


def environ_of(stream: Body, headers: dict[str, Any]) -> dict[str, Any]:
    return {"wsgi.input": stream, "wsgi.input_terminated": True, **headers}


@pytest.mark.parametrize(("form", "sent"), [(with_length, CONTENT), (chunked, CHUNKS)], ids=["length", "chunked"])
@pytest.mark.parametrize("read_ahead", [0, 100, 100_000])
def test_a_body_is_whole_and_the_next_request_is_left(
    client_and_server: tuple[socket.socket, socket.socket],
    form: Callable[[Any], tuple[Body, dict[str, Any]]],
    sent: bytes,
    read_ahead: int,
) -> None:
    client, server = client_and_server
    client.sendall(sent + NEXT)
    unreader = SocketUnreader(server)
    if read_ahead:
        unreader.unread(unreader.read(read_ahead))  # as the parser of the header does
    stream, headers = form(unreader)
    assert direct_read(stream) is not None
    assert b"".join(RequestBody(environ_of(stream, headers)).blocks()) == CONTENT
    assert stream.read(1) == b""  # gunicorn itself sees that it was read to its end
    assert unreader.read(len(NEXT)) == NEXT


@pytest.mark.parametrize(("form", "sent"), [(with_length, CONTENT), (chunked, CHUNKS)], ids=["length", "chunked"])
def test_what_arrived_of_a_body_that_breaks_off_is_given_before_the_error(
    client_and_server: tuple[socket.socket, socket.socket],
    form: Callable[[Any], tuple[Body, dict[str, Any]]],
    sent: bytes,
) -> None:
    client, server = client_and_server
    client.sendall(sent[:50_000])
    client.close()
    stream, headers = form(SocketUnreader(server))
    blocks = RequestBody(environ_of(stream, headers)).blocks()
    taken = bytearray()
    with pytest.raises(SizeInvalid):
        append_each(taken, blocks)
    assert len(taken) > 49_000
    assert CONTENT.startswith(taken)


def test_the_size_of_a_chunk_that_comes_alone_is_no_end(
    client_and_server: tuple[socket.socket, socket.socket],
) -> None:
    client, server = client_and_server
    client.sendall(b"7\r\ncontent\r\n0\r\n\r\n")
    stream, headers = chunked(SocketUnreader(server, max_chunk=3))
    assert b"".join(RequestBody(environ_of(stream, headers)).blocks()) == b"content"


def test_a_connection_whose_body_failed_is_not_kept(client_and_server: tuple[socket.socket, socket.socket]) -> None:
    client, server = client_and_server
    client.sendall(b"no chunk size\r\n")
    stream, headers = chunked(SocketUnreader(server))
    with pytest.raises(SizeInvalid):
        list(RequestBody(environ_of(stream, headers)).blocks())
    assert stream.failed


def test_what_is_no_socket_or_was_read_before_is_left_to_gunicorn(
    client_and_server: tuple[socket.socket, socket.socket],
) -> None:
    stream, headers = with_length(IterUnreader([CONTENT]))
    assert direct_read(stream) is None
    assert b"".join(RequestBody(environ_of(stream, headers)).blocks()) == CONTENT
    client, server = client_and_server
    client.sendall(CONTENT)
    begun, _ = with_length(SocketUnreader(server))
    assert begun.read(3) == CONTENT[:3]
    assert direct_read(begun) is None
