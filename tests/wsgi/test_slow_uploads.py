"""Uploads that take their time do not keep others waiting."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.wire import Client

if TYPE_CHECKING:
    from tests.conftest import Serve

SLOW = 64


def test_pulls_are_answered_beside_many_slow_uploads(serve: Serve) -> None:
    """As `serve` is shipped: each of the uploads has sent a little, and has much more to send."""
    client = Client(serve().url)
    digest = client.push_blob("a/b", b"content")
    with ExitStack() as stack:
        for _ in range(SLOW):
            upload = client.begun("PATCH", client.start_upload("a/b"), {"Content-Length": "1000000"})
            stack.enter_context(upload).sendall(b"a" * 1000)
        for _ in range(20):
            assert client.blob("a/b", digest).body == b"content"
