"""A client that sends more than is wanted hears why, through a real server, and does not just find the line cut."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.images import MB
from tests.wire import digest_of, with_query

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.wire import Client

SERVERS = ["granian", "gthread"]
CONTENT = bytes(5 * MB)


def refused(client: Client, method: str, target: str, body: bytes | Iterable[bytes]) -> tuple[int, str]:
    """Send all of the body, which raises where the server hangs up before, and return status and code."""
    with closing(http.client.HTTPConnection(client.host, timeout=120)) as connection:
        connection.request(method, target, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())["errors"][0]["code"]


@pytest.mark.parametrize("kind", SERVERS)
def test_a_manifest_of_5_mb_is_refused_in_words(client: Client) -> None:
    pieces = [CONTENT[at : at + MB] for at in range(0, len(CONTENT), MB)]
    for body in (CONTENT, iter(pieces)):
        assert refused(client, "PUT", "/v2/refused/manifests/v1", body) == (413, "MANIFEST_INVALID")


@pytest.mark.parametrize("kind", SERVERS)
def test_a_layer_of_5_mb_for_an_upload_that_is_not_there_is_refused_in_words(client: Client) -> None:
    target = with_query("/v2/refused/blobs/uploads/none", digest=digest_of(CONTENT))
    assert refused(client, "PUT", target, CONTENT) == (404, "BLOB_UPLOAD_UNKNOWN")
