"""docs/servers.md: each cell of its table is what a registry on that server does."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import signal
import socket
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psutil
import pytest

from registry_wsgi.context import Context
from registry_wsgi.errors import PathBusy
from registry_wsgi.storage import paths
from tests import storages
from tests.images import MB
from tests.wire import Client, digest_of, with_query
from tests.wsgi import apache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.conftest import Serve
    from tests.servers import Server

PAGE = Path(__file__).parents[2] / "docs" / "servers.md"
LARGE = 32 * MB
SLOW = 4
"""Uploads that wait for their clients, fewer than any server here has threads."""
PATIENCE = 3.0
"""Seconds after which an answer is taken not to come before the body has. Where it comes, it comes at once."""


def rows() -> dict[str, dict[str, str]]:
    """Return the table of the page: the cells of each server by the names of their columns."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    columns = table[0][1:]
    return {re.sub(r"`|\s*\(.*", "", row[0]): dict(zip(columns, row[1:], strict=True)) for row in table[2:]}


NAMES = {
    "granian": "granian",
    "gunicorn sync": "gunicorn",
    "gunicorn gthread": "gthread",
    "gunicorn gevent": "gevent",
    "waitress": "waitress",
    "cheroot": "cheroot",
    "uWSGI": "uwsgi",
    "wsgiref": "wsgiref",
}
"""The kinds of registries that tests can start, by their names on the page."""
BELOW_APACHE = "mod_wsgi"


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, serve_for_session: Serve) -> Server:
    return serve_for_session(kind=request.param)


@contextmanager
def begun(server: Server, method: str, target: str, *, body: bytes, **headers: str) -> Iterator[socket.socket]:
    """Send the head of a request and `body`, and leave it there."""
    address, port = server.host.split(":")
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    with closing(socket.create_connection((address, int(port)), timeout=60)) as connection:
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: {server.host}\r\n{lines}\r\n".encode() + body)
        yield connection


def answered(connection: socket.socket, seconds: float = PATIENCE) -> bytes:
    """Return what comes within some seconds, nothing if nothing does."""
    ready, _, _ = select.select([connection], [], [], seconds)
    return connection.recv(12) if ready else b""


def chunked_bodies(server: Server) -> str:
    client = Client(server.url)
    answer = client.request("PATCH", client.start_upload("a"), iter([b"content"]))
    return {202: "yes", 411: "411"}[answer.status]


def refused(server: Server) -> str:
    """When a client learns that its upload is none: while it sends the body, or after it has sent all of it."""
    target = f"/v2/a/blobs/uploads/{uuid4()}"
    with begun(server, "PATCH", target, body=bytes(100_000), Content_Length=str(LARGE)) as connection:
        return "at once" if answered(connection).endswith(b" 404") else "after the body"


def handed_on(server: Server) -> str:
    """Whether the registry is at a large body before the end of it was sent: nobody else can write to the upload.

    Who looks at that may be in the way of the request itself, which is then sent again.
    """
    location = Client(server.url).start_upload("a/large")
    data = paths.upload_data("a/large", location.rpartition("/")[2])
    driver = storages.driver_of(json.loads(server.config.read_text())["storage"])
    while True:
        with begun(server, "PATCH", location, body=os.urandom(8 * MB), Content_Length=str(LARGE)) as connection:
            until = time.monotonic() + PATIENCE
            while not answered(connection, 0.05):
                try:
                    driver.writer(Context(), data, append=True).close()
                except PathBusy:
                    return "streamed"
                if time.monotonic() > until:
                    return "spooled"


def continued(server: Server) -> str:
    """Whether a client that waits for leave to send gets it: in any case, if the body is wanted, or not at all."""
    unknown, started = f"/v2/a/blobs/uploads/{uuid4()}", Client(server.url).start_upload("a")
    told = []
    for target in (unknown, started):
        with begun(server, "PATCH", target, body=b"", Content_Length="7", Expect="100-continue") as connection:
            told.append(answered(connection).endswith(b" 100"))
    return {(True, True): "at once", (False, True): "if wanted", (False, False): "never"}[told[0], told[1]]


def kept(server: Server) -> str:
    with closing(http.client.HTTPConnection(server.host, timeout=60)) as connection:
        connection.request("GET", "/v2/")
        connection.getresponse().read()
        connection.auto_open = 0  # a second connection would not do
        try:
            connection.request("GET", "/v2/")
            connection.getresponse().read()
        except (http.client.HTTPException, OSError):
            return "no"
        return "yes"


def sent_by_the_kernel(server: Server) -> str:
    """Whether a blob goes from file to socket by sendfile: few reads, and all of it written but by no send()."""
    client = Client(server.url)
    digest = client.push_blob("a", os.urandom(LARGE))
    client.blob("a", digest)
    reads, written = io_of(server)
    assert len(client.blob("a", digest).body) == LARGE
    reads_after, written_after = io_of(server)
    return "yes" if reads_after - reads < 40 and written_after - written >= LARGE else "no"


def io_of(server: Server) -> tuple[int, int]:
    """Return the number of reads and the bytes written of a server and its workers, as the kernel counts them."""
    leader = psutil.Process(server.process.pid)
    counters = [process.io_counters() for process in (leader, *leader.children(recursive=True))]
    return sum(each.read_count for each in counters), sum(each.write_chars for each in counters)


def beside_slow_uploads(server: Server) -> str:
    client = Client(server.url)
    locations = [client.start_upload("a") for _ in range(SLOW)]
    with ExitStack() as uploads:
        for location in locations:
            uploads.enter_context(begun(server, "PATCH", location, body=b"x" * 10, Content_Length="1000"))
        connection = uploads.enter_context(begun(server, "GET", "/v2/", body=b""))
        return "yes" if answered(connection).endswith(b" 200") else "no"


def ended(server: Server) -> str:
    """Whether an upload that is under way when the server is told to end still comes to its end."""
    client = Client(server.url)
    content = os.urandom(2 * MB)
    location = with_query(client.start_upload("a"), digest=digest_of(content))
    length = str(len(content))
    with begun(server, "PUT", location, body=content[:MB], Content_Length=length) as connection:
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        try:
            connection.sendall(content[MB:])
            return "finishes" if answered(connection, 20).endswith(b" 201") else "is cut off"
        except OSError:
            return "is cut off"
        finally:
            server.kill()


COLUMNS: dict[str, Callable[[Server], str]] = {
    "chunked bodies": chunked_bodies,
    "large bodies": handed_on,
    "a refusal comes": refused,
    "`100 Continue`": continued,
    "keep-alive": kept,
    "sendfile": sent_by_the_kernel,
    "answers beside 4 slow uploads": beside_slow_uploads,
    "an upload at SIGTERM": ended,
}
OBSERVED = {column: observe for column, observe in COLUMNS.items() if column != "sendfile" or not storages.is_chosen()}


def expected(name: str) -> dict[str, str]:
    """Return a row of the page; what only a file can be is left out over a store."""
    return {column: cell for column, cell in rows()[name].items() if column in OBSERVED}


def observed(server: Server) -> dict[str, str]:
    return {column: observe(server) for column, observe in OBSERVED.items()}


def test_the_page_has_every_server_and_every_column() -> None:
    assert list(rows()) == [*NAMES, BELOW_APACHE]
    assert {tuple(row) for row in rows().values()} == {tuple(COLUMNS)}


@pytest.mark.parametrize("name", NAMES)
def test_a_row_of_the_page_is_true(name: str, serve: Serve) -> None:
    server = serve(kind=NAMES[name])
    assert observed(server) == expected(name)


@pytest.mark.soak  # to build mod_wsgi takes a minute
@pytest.mark.timeout(600)
def test_the_row_of_mod_wsgi_is_true(wheels: Mapping[str, Path]) -> None:
    with apache.environment(wheels["registry-wsgi"]) as directory, ExitStack() as stack:
        server = apache.start(directory)
        stack.callback(server.kill)
        assert observed(server) == expected(BELOW_APACHE)
