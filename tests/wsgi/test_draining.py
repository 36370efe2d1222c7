"""SIGTERM while content is pushed: the upload ends as if nothing were, and granian lets nobody new in.

gunicorn goes on to listen until its workers have ended, but none of them takes what is waiting there.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.storage import paths
from tests import storages
from tests.wire import Client, with_query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Serve

BLOCK = bytes(1 << 20)
SECONDS = 120
SERVERS = {"granian": ("granian", ()), "gunicorn": ("gthread", ("--graceful-timeout", str(SECONDS)))}


@pytest.mark.parametrize("megabytes", [100, pytest.param(1000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("server", SERVERS)
def test_an_upload_under_way_ends_well(serve: Serve, tmp_path: Path, server: str, megabytes: int) -> None:
    kind, arguments = SERVERS[server]
    registry = serve(
        tmp_path / "data", kind=kind, arguments=arguments, sections={"http": {"draintimeout": f"{SECONDS}s"}}
    )
    client = Client(registry.url)
    hashed = hashlib.sha256()
    for _ in range(megabytes):
        hashed.update(BLOCK)
    digest = f"sha256:{hashed.hexdigest()}"
    target = with_query(client.start_upload("a"), digest=digest)
    half_sent, ending = threading.Event(), threading.Event()

    def content() -> Iterator[bytes]:
        for number in range(megabytes):
            if number == megabytes // 2:
                half_sent.set()
                assert ending.wait(SECONDS)
            yield BLOCK

    def terminate() -> None:
        assert half_sent.wait(SECONDS)
        registry.process.terminate()
        while is_open(registry.host) and "Handling signal: term" not in registry.log_tail():
            time.sleep(0.05)
        ending.set()

    terminating = threading.Thread(target=terminate, daemon=True)
    terminating.start()
    with closing(http.client.HTTPConnection(registry.host, timeout=SECONDS)) as connection:
        connection.request("PUT", target, content(), {"Content-Length": str(megabytes * len(BLOCK))})
        assert connection.getresponse().status == 201
    terminating.join()
    assert registry.process.wait(SECONDS) == 0
    stored = storages.driver_at(tmp_path / "data").stat(Context(), paths.blob_data(Digest.parse(digest)))
    assert stored.size == megabytes * len(BLOCK)


def is_open(host: str) -> bool:
    address, port = host.split(":")
    try:
        socket.create_connection((address, int(port)), 5).close()
    except OSError:
        return False
    return True
