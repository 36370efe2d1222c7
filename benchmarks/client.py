"""A small client of the registry API for what wrk and ab cannot do: push, check, and fetch large bodies cheaply."""

from __future__ import annotations

import hashlib
import selectors
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from . import uploads
from .content import ACCEPT, CHUNK, MANIFEST_TYPE, TAG, Blob, Image, blob_path, manifest_path
from .errors import BenchmarkError
from .wire import ANSWER_SECONDS, answer, connect

if TYPE_CHECKING:
    from .wire import Target


def push(target: Target, image: Image) -> None:
    """Push the image under its tag."""
    with connect(target) as connection:
        for blob in (*image.layers, image.config):
            uploads.put(connection, uploads.begin(connection, target.headers), blob, target.headers)
        headers = {"Content-Type": MANIFEST_TYPE, **target.headers}
        connection.request("PUT", manifest_path(TAG), image.manifest, headers)
        answer(connection, 201).read()


def check(target: Target, image: Image, *, manifests: bool = True) -> None:
    """Fetch all of the image once: figures of a server that answers with other bytes are worth nothing."""
    wanted = {blob_path(blob): blob.digest for blob in (*image.layers, image.config)}
    if manifests:
        wanted |= {manifest_path(reference): image.manifest_digest for reference in (TAG, image.manifest_digest)}
    headers = {"Accept": ACCEPT, **target.headers}
    with connect(target) as connection:
        for path, digest in wanted.items():
            connection.request("GET", path, headers=headers)
            response = answer(connection, 200)
            if f"sha256:{hashlib.file_digest(response, 'sha256').hexdigest()}" != digest:
                raise BenchmarkError(f"{target.url}{path} is not what was pushed")
            connection.request("HEAD", path, headers=headers)
            head = answer(connection, 200)
            head.read()
            if head.headers["Content-Length"] != response.headers["Content-Length"]:
                raise BenchmarkError(f"{target.url}{path}: HEAD and GET differ in Content-Length")


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


def download(url: str, blob: Blob, connections: int, seconds: float) -> tuple[int, float]:
    """Fetch the blob over several connections for some seconds; return the bytes and the seconds that it was."""
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
        return total, elapsed
