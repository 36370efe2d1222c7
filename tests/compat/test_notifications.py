"""Events are docker-registry's, field by field: both get the same pushes and pulls, and send to the same endpoint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from registry_wsgi import mediatypes
from tests import storages
from tests.compat.test_docker_registry import LAYER, push
from tests.notifications.conftest import endpoint, sections
from tests.notifications.receiver import receiving
from tests.wire import ACCEPT_ALL, Client, digest_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

NAME = "library/busy-box"
MANIFESTS = f"/v2/{NAME}/manifests"
BLOB = f"/v2/{NAME}/blobs/{digest_of(LAYER)}"
LIST_ONLY, IMAGE_ONLY = {"Accept": mediatypes.DOCKER_MANIFEST_LIST}, {"Accept": mediatypes.DOCKER_MANIFEST}
ANNOTATED = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.example", "size": len(LAYER), "digest": digest_of(LAYER)},
        "layers": [
            {
                "mediaType": "application/vnd.example.layer",
                "size": len(LAYER),
                "digest": digest_of(LAYER),
                "annotations": {"org.example": "<&>"},
            }
        ],
    }
).encode()


def requests(client: Client) -> None:
    """Push, pull, mount and delete; some of it in vain."""

    def request(method: str, path: str, headers: dict[str, str] | None = None) -> None:
        client.request(method, path, b"" if method == "POST" else None, {"User-Agent": "a test", **(headers or {})})

    listed = digest_of(push(client, mediatypes.DOCKER_MANIFEST_LIST, "list", NAME))
    index = digest_of(push(client, mediatypes.OCI_INDEX, "index", NAME))
    client.push_manifest(NAME, "annotated", ANNOTATED, mediatypes.OCI_MANIFEST)
    client.push_blob(NAME, b"")
    for reference in ("list", "index", listed, index, "annotated", "none"):
        request("GET", f"{MANIFESTS}/{reference}", ACCEPT_ALL)
        request("HEAD", f"{MANIFESTS}/{reference}", ACCEPT_ALL)
    request("GET", f"{MANIFESTS}/list", LIST_ONLY | {"If-None-Match": f'"{listed}"'})
    request("GET", f"{MANIFESTS}/list", IMAGE_ONLY)
    for headers in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": f'"{digest_of(LAYER)}"'}):
        request("HEAD", BLOB, headers)
        if "Range" not in headers:
            request("GET", BLOB, headers)
    request("POST", f"/v2/other/blobs/uploads/?mount={digest_of(LAYER)}&from={NAME}")
    request("POST", f"/v2/other/blobs/uploads/?mount={digest_of(b'missing')}&from={NAME}")
    request("GET", f"/v2/{NAME}/tags/list")
    request("DELETE", f"{MANIFESTS}/{index}")
    request("DELETE", BLOB)
    request("DELETE", BLOB)


def events_of(serve: Serve, tmp_path: Path, kind: str, expected: int) -> list[tuple[dict[str, str], dict[str, Any]]]:
    """Return the head of each post and its event, without what differs from one run to the next."""
    with receiving() as receiver:
        keys = endpoint(receiver, headers={"X-Token": ["a"]})
        configured = sections(tmp_path, keys, references=True)
        if kind == "docker-registry":
            del configured["notifications"]["outbox"]
        server = serve(tmp_path / kind, kind=kind, sections=configured)
        requests(Client(server.url))
        receiver.wait(expected)
        server.stop()
        assert all(len(post.events) == 1 for post in receiver.posts)
        return [
            (
                {name: post.headers[name] for name in ("Content-Type", "X-Token")},
                _comparable(post.events[0], server.url),
            )
            for post in receiver.posts
        ]


def _comparable(event: dict[str, Any], url: str) -> dict[str, Any]:
    host = url.partition("://")[2]
    text = json.dumps(event).replace(host, "HOST").replace(f":{host.rpartition(':')[2]}", ":PORT")
    comparable: dict[str, Any] = json.loads(text)
    assert comparable["request"]["addr"].startswith("127.0.0.1")
    for section, name in ((comparable, "id"), (comparable["request"], "id"), (comparable["source"], "instanceID")):
        assert len(section[name]) == 36
        section[name] = "ID"
    assert comparable["timestamp"].startswith("20")
    comparable["timestamp"] = "TIME"
    comparable["request"]["addr"] = "ADDR"
    return comparable


@storages.files_only("docker-registry 2.8.2 takes no empty blob into S3, and says nothing of it")
def test_events_are_docker_registrys_field_by_field(serve: Serve, tmp_path: Path) -> None:
    theirs = events_of(serve, tmp_path, "docker-registry", 31)
    ours = events_of(serve, tmp_path, "granian", 31)
    assert ours == theirs
