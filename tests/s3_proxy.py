"""A proxy before a store that speaks S3: it counts the calls, and fails those that a test wants to fail."""

from __future__ import annotations

import http.client
import socket
import threading
from collections import Counter
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK = 256 * 1024
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect"}


@dataclass(frozen=True)
class Call:
    """One request: the operation as S3 calls it, its key, and which one of its operation it is, from 1."""

    operation: str
    key: str
    number: int


@dataclass(frozen=True)
class Answer:
    """An error that the store does not give: what it would say with this status and code."""

    status: int
    code: str


CUT = "cut"
"""The store does what it was asked, and half of its answer gets through."""
LOST = "lost"
"""The store does what it was asked, and nothing of its answer gets through."""
REFUSED = "refused"
"""Half of the request gets to nowhere, and the connection is cut."""
HEAD_ALONE = "head alone"
"""The store gets the head of the request, and the connection is cut: what it would have of a client that is killed."""
STALLED = "stalled"
"""Nothing comes back until the client hangs up."""

Fault = Answer | str | None

FAULTS: dict[str, Fault] = {
    "500": Answer(500, "InternalError"),
    "503": Answer(503, "SlowDown"),
    "expired": Answer(400, "ExpiredToken"),
    "skewed": Answer(403, "RequestTimeTooSkewed"),
    "timeout": STALLED,
    "cut in the request": REFUSED,
    "cut in the answer": CUT,
    "lost answer": LOST,
}
PASSING = {name: fault for name, fault in FAULTS.items() if name not in ("expired", "skewed")}
"""Those that may be over when the client asks again."""


class Proxy:
    """Forwards to `endpoint`. `fault` tells what becomes of a call; None is nothing special."""

    def __init__(self, endpoint: str) -> None:
        self.counts: Counter[str] = Counter()
        self.fault: Callable[[Call], Fault] = lambda call: None
        self._lock = threading.Lock()
        self._target = urlsplit(endpoint).netloc
        proxy = self

        class Handler(_Handler):
            through = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def taken(self) -> dict[str, int]:
        """Return the calls of each operation since this was last asked."""
        with self._lock:
            counts, self.counts = dict(self.counts), Counter()
        return counts

    def counted(self, method: str, target: str, headers: Any) -> Call:
        operation, key = _operation(method, target, headers)
        with self._lock:
            self.counts[operation] += 1
            return Call(operation, key, self.counts[operation])

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._target, timeout=60)


@contextmanager
def proxied(endpoint: str) -> Iterator[Proxy]:
    proxy = Proxy(endpoint)
    try:
        yield proxy
    finally:
        proxy.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    through: Proxy

    def setup(self) -> None:
        super().setup()
        self.upstream = self.through.connect()

    def finish(self) -> None:
        self.upstream.close()
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with suppress(OSError):
            super().handle()

    def _forward(self) -> None:
        call = self.through.counted(self.command, self.path, self.headers)
        length = int(self.headers.get("Content-Length") or 0)
        fault = self.through.fault(call)
        if fault == REFUSED:
            self.rfile.read(length // 2)
            self._hang_up()
            return
        body = self.rfile.read(length)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        if fault == HEAD_ALONE:
            self._send_head(headers)
            self._hang_up()
            return
        if isinstance(fault, Answer):
            self._fail(fault)
            return
        if fault == STALLED:
            self.connection.recv(1)
            self._hang_up()
            return
        self.upstream.request(self.command, self.path, body, headers)
        answer = self.upstream.getresponse()
        if fault == LOST:
            answer.read()
            self._hang_up()
            return
        self._answer(answer, cut=fault == CUT)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _forward

    def _send_head(self, headers: dict[str, str]) -> None:
        """Return once the store is done with a request of which nothing comes after the head."""
        upstream = self.through.connect()
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            upstream.putheader(name, value)
        upstream.endheaders()
        upstream.sock.shutdown(socket.SHUT_WR)
        with suppress(OSError, http.client.HTTPException), closing(upstream):
            upstream.getresponse().read()

    def _answer(self, answer: http.client.HTTPResponse, *, cut: bool) -> None:
        self.send_response_only(answer.status)
        content = b"" if answer.length is not None else answer.read()
        length = answer.length or 0
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP and (name.lower() != "content-length" or not content):
                self.send_header(name, value)
        if content:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        left = length // 2 if cut else length
        while left and self.command != "HEAD":
            block = answer.read(min(BLOCK, left))
            if not block:
                break
            self.wfile.write(block)
            left -= len(block)
        if cut:
            self._hang_up()
        else:
            answer.read()  # the connection can be used again only when its end was seen

    def _fail(self, fault: Answer) -> None:
        content = b"" if self.command == "HEAD" else f"<Error><Code>{fault.code}</Code></Error>".encode()
        self.send_response_only(fault.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(2)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _operation(method: str, target: str, headers: Any) -> tuple[str, str]:
    """Return S3's name of a request and the key it is about."""
    parts = urlsplit(target)
    query = parse_qs(parts.query, keep_blank_values=True)
    key = parts.path.lstrip("/").partition("/")[2]
    copying = "x-amz-copy-source" in headers
    if "uploadId" in query:
        part = "UploadPartCopy" if copying else "UploadPart"
        names = {"PUT": part, "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload", "GET": "ListParts"}
        return names[method], key
    if "uploads" in query:
        return ("CreateMultipartUpload" if method == "POST" else "ListMultipartUploads"), key
    if "delete" in query:
        return "DeleteObjects", key
    if not key:
        return "ListObjects", query.get("prefix", [""])[0]
    if method == "PUT":
        return ("CopyObject" if copying else "PutObject"), key
    return {"GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}[method], key
