"""What clients do whose requests break off or meet another's: ask how much has arrived, and go on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.waiting import until
from tests.wire import digest_of, with_query

if TYPE_CHECKING:
    from tests.wire import Client

STREAMING = ["granian", "gunicorn", "gthread", "cheroot"]
"""Servers that call the application while the body is still on its way."""
CONCURRENT = ["granian", "gthread", "cheroot"]
"""Those of them that answer others meanwhile; a sync worker of gunicorn has one request at a time."""
SERVERS = [*STREAMING, "waitress"]


def received(client: Client, location: str) -> int:
    """Return how many bytes an upload of more than one byte has, as its status says."""
    answer = client.request("GET", location)
    assert answer.status == 204, answer
    last = int(answer.headers["Range"].removeprefix("0-"))
    return last + 1 if last else 0


def finish(client: Client, location: str, content: bytes) -> None:
    """Send what is missing, however often another request is in the way, and commit."""

    def sent() -> bool:
        size = received(client, location)
        if size == len(content):
            return True
        headers = {"Content-Range": f"{size}-{len(content) - 1}"}
        answer = client.request("PATCH", location, content[size:], headers)
        # The request that broke off may still be at it: the upload is busy, or has grown since it was asked.
        assert answer.status in (202, 416, 429), answer
        return answer.status == 202

    until(sent)

    def committed() -> bool:
        answer = client.request("PUT", with_query(location, digest=digest_of(content)), b"")
        # So it may where nothing was missing; that it was killed with its process a store knows after a while.
        assert answer.status in (201, 429), answer
        return answer.status == 201

    until(committed)
