"""A small client of the registry API for what wrk and ab cannot do: push, check, and move large bodies cheaply."""

from __future__ import annotations

import hashlib
import selectors
import socket
import time
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urljoin, urlsplit

from .content import ACCEPT, CHUNK, MANIFEST_TYPE, REPOSITORY, TAG, Blob, Image, blob_path, manifest_path
from .errors import BenchmarkError

ANSWER_SECONDS = 120.0


def connect(url: str) -> closing[HTTPConnection]:
    """Return a connection to the registry at `url`, closed at the end of the `with` block."""
    address = urlsplit(url).netloc
    return closing(HTTPConnection(address, timeout=ANSWER_SECONDS))


def answer(connection: HTTPConnection, expected: int) -> HTTPResponse:
    """Return the answer to the request just sent; another status than `expected` ends the run."""
    response = connection.getresponse()
    if response.status != expected:
        text = response.read(2000).decode(errors="replace").strip()
        raise BenchmarkError(f"{connection.host}:{connection.port} answered {response.status}, not {expected}: {text}")
    return response


def begin_upload(connection: HTTPConnection) -> str:
    """Open an upload and return its location."""
    connection.request("POST", f"/v2/{REPOSITORY}/blobs/uploads/", headers={"Content-Length": "0"})
    return location(connection, answer(connection, 202))


def location(connection: HTTPConnection, response: HTTPResponse) -> str:
    """Read an answer to its end and return its Location as path and query: it may be absolute or not."""
    response.read()
    target = urlsplit(urljoin(f"http://{connection.host}/", response.headers["Location"]))
    return f"{target.path}?{target.query}"


def send_upload(connection: HTTPConnection, upload: str, blob: Blob) -> None:
    """Send the whole blob as one chunked PATCH and close the upload with PUT."""
    connection.putrequest("PATCH", upload)
    connection.putheader("Content-Type", "application/octet-stream")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    for frame in blob.frames():
        connection.send(frame)
    upload = location(connection, answer(connection, 202))
    separator = "" if upload.endswith("?") else "&"
    connection.request("PUT", f"{upload}{separator}digest={blob.digest}", headers={"Content-Length": "0"})
    answer(connection, 201).read()


def push(url: str, image: Image) -> None:
    """Push the image under its tag."""
    with connect(url) as connection:
        for blob in image.blobs:
            send_upload(connection, begin_upload(connection), blob)
        connection.request("PUT", manifest_path(TAG), image.manifest, {"Content-Type": MANIFEST_TYPE})
        answer(connection, 201).read()


def check(url: str, image: Image) -> None:
    """Fetch all of the image once: figures of a server that answers with other bytes are worth nothing."""
    wanted = {blob_path(blob): blob.digest for blob in image.blobs}
    wanted |= {manifest_path(reference): image.manifest_digest for reference in (TAG, image.manifest_digest)}
    with connect(url) as connection:
        for path, digest in wanted.items():
            connection.request("GET", path, headers={"Accept": ACCEPT})
            response = answer(connection, 200)
            if f"sha256:{hashlib.file_digest(response, 'sha256').hexdigest()}" != digest:
                raise BenchmarkError(f"{url}{path} is not what was pushed")
            connection.request("HEAD", path, headers={"Accept": ACCEPT})
            head = answer(connection, 200)
            head.read()
            if head.headers["Content-Length"] != response.headers["Content-Length"]:
                raise BenchmarkError(f"{url}{path}: HEAD and GET differ in Content-Length")


class Download:
    """One connection that asks for the same blob again and again, and throws away what comes.

    MSG_TRUNC lets the kernel drop the bytes instead of copying them to us (tcp(7)): wrk, with its reads of
    8 KB, would be the limit before a server that uses sendfile is.
    """

    def __init__(self, url: str, blob: Blob) -> None:
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout=ANSWER_SECONDS)
        self._request = f"GET {blob_path(blob)} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode()
        self._size = blob.size
        self._left = 0
        self._head = b""
        self._buffer = bytearray(CHUNK)
        self.socket.sendall(self._request)

    def receive(self) -> int:
        """Take what has come and return how many bytes of the body that were."""
        if not self._left:
            return self._receive_head()
        taken = self.socket.recv_into(self._buffer, min(self._left, CHUNK), socket.MSG_TRUNC)
        if not taken:
            raise BenchmarkError("the server closed a download before its end")
        self._left -= taken
        if not self._left:
            self.socket.sendall(self._request)
        return taken

    def _receive_head(self) -> int:
        data = self.socket.recv(65536)
        self._head += data
        head, end, body = self._head.partition(b"\r\n\r\n")
        if not data or not head.startswith(b"HTTP/1.1 200 "[: len(head)]):
            raise BenchmarkError(f"a download was answered with {head[:200]!r}")
        if end:
            self._head = b""
            self._left = self._size - len(body)
        return len(body)


def download(url: str, blob: Blob, connections: int, seconds: float) -> float:
    """Fetch the blob over several connections for some seconds; return bytes a second."""
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        downloads = [Download(url, blob) for _ in range(connections)]
        for each in downloads:
            stack.callback(each.socket.close)
            selector.register(each.socket, selectors.EVENT_READ, each)
        total, begun = 0, time.monotonic()
        while (elapsed := time.monotonic() - begun) < seconds:
            ready = selector.select(ANSWER_SECONDS)
            if not ready:
                raise BenchmarkError(f"no byte of a download came in {ANSWER_SECONDS:.0f} s")
            total += sum(key.data.receive() for key, _ in ready)
        return total / elapsed
