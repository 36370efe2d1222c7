"""Broken HTTP on a raw socket: the server answers in time or closes, never with a 500, and serves on."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conformance.target import digest_of
from tests.wire import Client

if TYPE_CHECKING:
    from tests.conftest import Serve

KEPT = b"a layer that has to outlive everything"
BLOB = f"/v2/kept/blobs/{digest_of(KEPT)}".encode()
HOST = b"Host: 127.0.0.1\r\n"
CLOSE = b"Connection: close\r\n"
SECONDS = 20.0


@pytest.fixture(scope="module", params=["granian", "gunicorn"])
def client(request: pytest.FixtureRequest, serve_for_session: Serve) -> Client:
    """A registry with a blob in it."""
    threads = ("--worker-class", "gthread", "--threads", "8") if request.param == "gunicorn" else ()
    client = Client(serve_for_session(kind=request.param, arguments=threads).url)
    client.push_blob("kept", KEPT)
    return client


def send(client: Client, raw: bytes) -> bytes:
    """Send bytes, say that there are no more, and return all that comes back; a timeout is a failure."""
    address = urlsplit(f"http://{client.host}")
    with socket.create_connection((address.hostname, address.port), timeout=SECONDS) as connection:
        received = b""
        try:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while block := connection.recv(65536):
                received += block
        except TimeoutError:
            raise
        except OSError:
            return received  # closing is an answer too
        return received


def check(client: Client, received: bytes) -> None:
    """Check every status line that came back, and that what was stored is there."""
    statuses = [int(found) for found in re.findall(rb"^HTTP/1\.[01] ([0-9]{3})", received, re.MULTILINE)]
    # 501 and 505 are what a server says of HTTP that it does not speak.
    assert all(status < 500 or status in (501, 505) for status in statuses), received
    assert b"\r\nInjected:" not in received
    kept = client.blob("kept", digest_of(KEPT))
    assert (kept.status, kept.body) == (200, KEPT)


POST = b"POST /v2/kept/blobs/uploads/ HTTP/1.1\r\n" + HOST + CLOSE
PUT = b"PUT /v2/kept/manifests/v1 HTTP/1.1\r\n" + HOST + CLOSE

BROKEN = {
    "nothing": b"",
    "no HTTP": b"hello\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "the preface of HTTP/2 and no frame": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxx",
    "HTTP/0.9": b"GET /v2/\r\n",
    "HTTP/1.0 without a host": b"GET /v2/ HTTP/1.0\r\n\r\n",
    "HTTP/1.1 without a host": b"GET /v2/ HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two hosts": b"GET /v2/ HTTP/1.1\r\n" + HOST + HOST + CLOSE + b"\r\n",
    "HTTP/9.9": b"GET /v2/ HTTP/9.9\r\n" + HOST + b"\r\n",
    "only line feeds": b"GET /v2/ HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n",
    "a head that ends early": b"GET /v2/ HTTP/1.1\r\nHost: 127",
    "a null byte in a header": b"GET /v2/ HTTP/1.1\r\n" + HOST + CLOSE + b"X: a\x00b\r\n\r\n",
    "a space before the colon": b"GET /v2/ HTTP/1.1\r\n" + HOST + CLOSE + b"X : a\r\n\r\n",
    "a folded header": b"GET /v2/ HTTP/1.1\r\n" + HOST + CLOSE + b"X: a\r\n b\r\n\r\n",
    "a very long path": b"GET /v2/" + b"a/" * 60_000 + b"tags/list HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    "a very long header": b"GET /v2/ HTTP/1.1\r\n" + HOST + CLOSE + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "very many headers": b"GET /v2/ HTTP/1.1\r\n" + HOST + CLOSE + b"X: a\r\n" * 5000 + b"\r\n",
    "an absolute target": b"GET http://elsewhere.example/v2/ HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    "CONNECT": b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    "a fragment": b"GET /v2/#x HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    "bytes in the path": b"GET /v2/\xff\xfe/tags/list HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    "bytes in the query": b"GET /v2/_catalog?last=\xff\xfe HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    "escapes that are none": b"GET /v2/%zz%/tags/list?n=%g HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    "an escaped null byte": b"GET /v2/a%00b/tags/list HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    "escaped dots": b"GET /v2/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    "an escaped header in a name": (
        b"POST /v2/a%0d%0aInjected:%20x/blobs/uploads/ HTTP/1.1\r\n" + HOST + CLOSE + b"Content-Length: 0\r\n\r\n"
    ),
    "an escaped header in a query": b""
    b"GET /v2/_catalog?n=1&last=%0d%0aInjected:%20x HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length that is no number": POST + b"Content-Length: ten\r\n\r\n",
    "a length with a plus": POST + b"Content-Length: +5\r\n\r\nhello",
    "a length beyond all numbers": POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\nhello",
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a length that is too long": PUT + b"Content-Length: 100\r\n\r\n{}",
    "a length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an unknown encoding": PUT + b"Transfer-Encoding: gzip\r\n\r\nx",
    "chunks of no size": PUT + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
    "a chunk of a negative size": PUT + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "a chunk beyond all numbers": PUT + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\nhello",
    "a chunk that ends early": PUT + b"Transfer-Encoding: chunked\r\n\r\n50\r\nhello",
    "chunks without an end": PUT + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "a body where there should be none": b"GET /v2/ HTTP/1.1\r\n" + HOST + CLOSE + b"Content-Length: 5\r\n\r\nhello",
    "a request after a body that was not wanted": (
        b"PUT /v2/UPPER/manifests/v1 HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello"
        b"GET /v2/ HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"
    ),
    "an upgrade": b"GET /v2/ HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "an expectation that is none": PUT + b"Expect: wonders\r\nContent-Length: 2\r\n\r\n{}",
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_http_is_refused_and_the_server_goes_on(client: Client, kind: str) -> None:
    check(client, send(client, BROKEN[kind]))


def test_a_request_after_a_refused_body_is_answered_as_itself(client: Client) -> None:
    """What is left of a body must never be read as the next request."""
    received = send(client, BROKEN["a request after a body that was not wanted"])
    statuses = re.findall(rb"^HTTP/1\.1 ([0-9]{3})", received, re.MULTILINE)
    assert statuses in ([b"400", b"200"], [b"400"])


WHOLE = [
    b"GET " + BLOB + b" HTTP/1.1\r\n" + HOST + b"Range: bytes=0-3\r\nAccept: */*\r\n\r\n",
    POST + b"Content-Length: 5\r\nContent-Type: application/octet-stream\r\n\r\nhello",
    PUT + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n",
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Damage a good request: bytes changed, cut out, doubled, or put in."""
    raw = draw(st.sampled_from(WHOLE))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        length = draw(st.integers(0, 12))
        put_in = draw(
            st.one_of(st.binary(max_size=6), st.sampled_from([b"\r\n", b"\n", b":", b"\x00", raw[at : at + length]]))
        )
        raw = raw[:at] + put_in + raw[at + length :]
    return raw


def any_damage(client: Client, examples: int, derandomize: bool) -> None:
    @settings(
        max_examples=examples,
        derandomize=derandomize,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged())
    def sent(raw: bytes) -> None:
        check(client, send(client, raw))

    sent()


def test_a_damaged_request_is_refused_and_the_server_goes_on(client: Client) -> None:
    any_damage(client, 150, derandomize=True)


@pytest.mark.soak
def test_damaged_requests_are_refused_and_the_server_goes_on_in_the_long_run(client: Client) -> None:
    any_damage(client, 20_000, derandomize=False)
