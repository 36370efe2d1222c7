"""An endpoint that listens on loopback, keeps what it is sent, and fails when it is told to."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.waiting import SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass
class Post:
    path: str
    headers: Mapping[str, str]
    body: bytes
    taken: bool

    @property
    def events(self) -> list[dict[str, Any]]:
        return json.loads(self.body)["events"]


@dataclass
class Receiver:
    """`answer` is asked for the status of each post."""

    port: int = 0
    answer: Callable[[Post], int] = lambda post: 200
    headers: dict[str, str] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/events"

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that were taken, in the order in which they came."""
        return [event for post in list(self.posts) if post.taken for event in post.events]

    @property
    def targets(self) -> list[tuple[str, dict[str, Any]]]:
        return [(event["action"], event["target"]) for event in self.events]

    def wait(self, count: int, seconds: float = SECONDS) -> list[dict[str, Any]]:
        """Return the events once there are `count` of different ids."""
        until(lambda: len({event["id"] for event in self.events}) >= count, lambda: f"{self.targets}", seconds)
        return self.events


class _Server(ThreadingHTTPServer):
    def handle_error(self, *arguments: object) -> None:
        """Say nothing: a client that is killed in the middle of a post is what some tests are about."""


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:  # whoever posted it was killed, and will post it again
                self.close_connection = True
                return
            post = Post(self.path, self.headers, body, taken=False)
            status = receiver.answer(post)
            post.taken = 200 <= status < 300
            receiver.posts.append(post)
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with _Server(("127.0.0.1", port), Handler) as server:
        receiver.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
