"""The memory of a worker does not grow with the size of a blob."""

from __future__ import annotations

import hashlib
import http.client
import threading
from contextlib import closing, contextmanager
from functools import cache
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.images import MB, digest_of_chunks, random_chunks
from tests.wire import Client, with_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Serve
    from tests.servers import Server

SMALL, LARGE = 5 * MB, 500 * MB
MOST_GROWTH = 64 * MB
INTERVAL = 0.02  # seconds between two looks at the memory


@pytest.mark.parametrize("kind", ["granian", "gthread"])
def test_a_large_blob_takes_no_more_memory_than_a_small_one(serve: Serve, kind: str) -> None:
    server = serve(kind=kind)
    push_and_pull(server, SMALL)
    with peak_memory(server) as small:
        push_and_pull(server, SMALL)
    with peak_memory(server) as large:
        push_and_pull(server, LARGE)
    assert max(large) - max(small) < MOST_GROWTH


def push_and_pull(server: Server, size: int) -> None:
    """Push a blob in one chunked PATCH, and pull it."""
    client, digest = Client(server.url), digest_of_size(size)
    location = client.request("PATCH", client.start_upload("a"), random_chunks(size, size)).headers["Location"]
    assert client.request("PUT", with_query(location, digest=digest), b"").status == 201
    with closing(http.client.HTTPConnection(server.host, timeout=120)) as connection:
        connection.request("GET", f"/v2/a/blobs/{digest}")
        assert f"sha256:{hashlib.file_digest(connection.getresponse(), 'sha256').hexdigest()}" == digest


@cache
def digest_of_size(size: int) -> str:
    return digest_of_chunks(random_chunks(size, size))


@contextmanager
def peak_memory(server: Server) -> Iterator[list[int]]:
    """Give a list of what the server and its workers have resident together, in bytes, every now and then."""
    ended = threading.Event()
    samples: list[int] = []

    def sample() -> None:
        main = psutil.Process(server.process.pid)
        processes = [main, *main.children(recursive=True)]
        while not samples or not ended.wait(INTERVAL):
            samples.append(sum(process.memory_info().rss for process in processes))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield samples
    finally:
        ended.set()
        sampler.join()
