"""The registry's protocol spoken with http.client alone, for tests that want to see every byte of it."""

from __future__ import annotations

import hashlib
import http.client
import json
import select
import socket
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from registry_wsgi import mediatypes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from email.message import Message

ACCEPT_ALL = {"Accept": ", ".join(sorted(mediatypes.MANIFESTS))}
"""docker-registry converts, or refuses, what a client does not say it accepts."""


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class Response:
    status: int
    headers: Message
    body: bytes

    @property
    def digest(self) -> str:
        return self.headers["Docker-Content-Digest"]

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Speak to the registry at `url`. A request is a connection: nothing stays open, nothing is retried."""

    def __init__(self, url: str) -> None:
        self.host = urlsplit(url).netloc

    def request(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one request; a body that is no bytes goes out chunked, without a Content-Length.

        `target` is a path, or a whole URL of this registry as Location headers have it.
        """
        parts = urlsplit(target)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        with closing(http.client.HTTPConnection(self.host, timeout=120)) as connection:
            connection.connect()
            # A server may answer, and hang up, before it has read everything.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())

    @contextmanager
    def begun(self, method: str, target: str, headers: Mapping[str, str]) -> Iterator[socket.socket]:
        """Send the head of a request, wait until its body is wanted, and die when the block ends."""
        with self._asked(method, target, headers) as (connection, answer):
            assert answer.startswith(b"HTTP/1.1 100"), answer
            yield connection

    @contextmanager
    def _asked(self, method: str, target: str, headers: Mapping[str, str]) -> Iterator[tuple[socket.socket, bytes]]:
        """Send the head of a request, and give the connection and what comes before the body."""
        address, port = self.host.rsplit(":", 1)
        lines = {"Host": self.host, "Expect": "100-continue", **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        with socket.create_connection((address, int(port)), timeout=120) as connection:
            connection.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode())
            yield connection, connection.recv(1000)

    @contextmanager
    def writing(
        self, method: str, target: str, headers: Mapping[str, str], content: bytes, location: str
    ) -> Iterator[socket.socket]:
        """Send the beginning of a body to the upload at `location`, and die, or end it, while it is held for that.

        That it is held is seen by a PATCH that is told to wait. One that comes first is in the way of the request
        itself, which is then sent again.
        """
        for _ in range(60):
            with self._asked(method, target, headers) as (connection, answer):
                if not answer.startswith(b"HTTP/1.1 100"):
                    time.sleep(0.05)
                    continue
                with suppress(ConnectionError):
                    connection.sendall(content)
                for _ in range(20):
                    if self.request("PATCH", location, b"").status == 429:
                        yield connection
                        return
                    if select.select([connection], [], [], 0.05)[0]:
                        break
        raise AssertionError(f"{location} was never held")

    # ── what most tests do on their way to their subject ──

    def start_upload(self, name: str) -> str:
        """Start an upload and return its Location."""
        answer = self.request("POST", f"/v2/{name}/blobs/uploads/", b"")
        assert answer.status == 202, answer
        return answer.headers["Location"]

    def push_blob(self, name: str, content: bytes, digest: str = "") -> str:
        """Push a blob in one PUT and return its digest."""
        digest = digest or digest_of(content)
        answer = self.request("PUT", with_query(self.start_upload(name), digest=digest), content)
        assert answer.status == 201, answer
        return answer.digest

    def push_manifest(self, name: str, reference: str, payload: bytes, media_type: str) -> str:
        """Push a manifest and return its digest."""
        headers = {"Content-Type": media_type}
        answer = self.request("PUT", f"/v2/{name}/manifests/{reference}", payload, headers)
        assert answer.status == 201, answer
        return answer.digest

    def manifest(self, name: str, reference: str) -> Response:
        return self.request("GET", f"/v2/{name}/manifests/{reference}", headers=ACCEPT_ALL)

    def blob(self, name: str, digest: str) -> Response:
        return self.request("GET", f"/v2/{name}/blobs/{digest}")

    def tags(self, name: str) -> Response:
        return self.request("GET", f"/v2/{name}/tags/list")

    def catalog(self) -> list[str]:
        return self.request("GET", "/v2/_catalog?n=1000").json()["repositories"]

    def delete(self, name: str, kind: str, reference: str) -> int:
        """Delete one of `blobs` or `manifests` and return the status."""
        return self.request("DELETE", f"/v2/{name}/{kind}/{reference}").status


def chunk(content: bytes) -> bytes:
    """Return the content as one chunk of a chunked body (RFC 9112 §7.1); the empty one is the last."""
    return b"%x\r\n%b\r\n" % (len(content), content)


def with_query(location: str, **parameters: str) -> str:
    """Add parameters to a Location, which may have a query of its own."""
    separator = "&" if urlsplit(location).query else "?"
    return location + separator + "&".join(f"{key}={value}" for key, value in parameters.items())
