"""Uploads, as docker sends them and in one piece; many at once, fast and very slow."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from .content import REPOSITORY, Blob, frame
from .wire import answer, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from http.client import HTTPConnection, HTTPResponse

    from .wire import Target

    Send = Callable[[HTTPConnection, str, Blob, Mapping[str, str]], None]

SLOW_BYTES = 1000
SLOW_SECONDS = 1.0


def begin(connection: HTTPConnection, headers: Mapping[str, str]) -> str:
    """Open an upload and return its location."""
    connection.request("POST", f"/v2/{REPOSITORY}/blobs/uploads/", headers={"Content-Length": "0", **headers})
    return location(connection, answer(connection, 202))


def location(connection: HTTPConnection, response: HTTPResponse) -> str:
    """Read an answer to its end and return its Location as path and query: it may be absolute or not."""
    response.read()
    target = urlsplit(urljoin(f"http://{connection.host}/", response.headers["Location"]))
    return f"{target.path}?{target.query}"


def patch_and_put(connection: HTTPConnection, upload: str, blob: Blob, headers: Mapping[str, str]) -> None:
    """Send the whole blob as one chunked PATCH and close the upload with PUT."""
    connection.putrequest("PATCH", upload)
    for name, value in {"Transfer-Encoding": "chunked", **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    for piece in blob.frames():
        connection.send(piece)
    upload = location(connection, answer(connection, 202))
    connection.request("PUT", closing_path(upload, blob), headers={"Content-Length": "0", **headers})
    answer(connection, 201).read()


def put(connection: HTTPConnection, upload: str, blob: Blob, headers: Mapping[str, str]) -> None:
    """Send the whole blob with the PUT that closes the upload."""
    connection.putrequest("PUT", closing_path(upload, blob))
    for name, value in {"Content-Length": str(blob.size), **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    for piece in blob.pieces():
        connection.send(piece)
    answer(connection, 201).read()


def closing_path(upload: str, blob: Blob) -> str:
    """Return the path and query that close an upload."""
    separator = "" if upload.endswith("?") else "&"
    return f"{upload}{separator}digest={blob.digest}"


def together(target: Target, blobs: Sequence[Blob], clients: int, send: Send) -> None:
    """Send all the blobs over so many connections at once, each blob from its POST to its 201."""

    def run(mine: Sequence[Blob]) -> None:
        with connect(target) as connection:
            for blob in mine:
                send(connection, begin(connection, target.headers), blob, target.headers)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(run, [blobs[first::clients] for first in range(clients)]))


@contextmanager
def slow(target: Target, clients: int) -> Iterator[None]:
    """Keep so many uploads going while the `with` block runs, each at 1 KB a second."""
    address, ended, sockets = urlsplit(target.url), threading.Event(), []
    with connect(target) as connection:
        for _ in range(clients):
            upload = begin(connection, target.headers)
            client = socket.create_connection((address.hostname, address.port))
            head = f"PATCH {upload} HTTP/1.1\r\nHost: {address.netloc}\r\nTransfer-Encoding: chunked\r\n\r\n"
            client.sendall(head.encode())
            sockets.append(client)

    def trickle() -> None:
        while not ended.wait(SLOW_SECONDS):
            for each in sockets:
                each.sendall(frame(b"x" * SLOW_BYTES))

    sender = threading.Thread(target=trickle)
    sender.start()
    try:
        yield
    finally:
        ended.set()
        sender.join()
        for each in sockets:
            each.close()
