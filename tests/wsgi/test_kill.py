"""A registry that is killed in the middle of uploads: what it acknowledged is whole, and nothing partial is visible."""

from __future__ import annotations

import http.client
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from tests import storages
from tests.stack import image_manifest
from tests.wire import Client, digest_of, with_query
from tests.wsgi.uploading import finish

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.servers import Server

REPOSITORIES = ["kill/a", "kill/b"]
PUSHERS = 4


@dataclass
class Acknowledged:
    """What the registry said it has; `enough` is set when it has said so `wanted` times more."""

    blobs: set[tuple[str, str]] = field(default_factory=set)
    manifests: set[tuple[str, str]] = field(default_factory=set)
    uploads: dict[str, bytes] = field(default_factory=dict)
    """The content that each upload shall have that is begun and not finished."""
    tags: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """The digests that were put under each tag, the last of them perhaps in vain."""
    tagged: set[tuple[str, str]] = field(default_factory=set)
    wanted: int = 0
    enough: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self) -> None:
        with self._lock:
            self.wanted -= 1
            if self.wanted <= 0:
                self.enough.set()


class Pusher:
    """A client that pushes images until the registry is gone."""

    def __init__(self, client: Client, acknowledged: Acknowledged, seed: str) -> None:
        self.client = client
        self.acknowledged = acknowledged
        self.random = random.Random(seed)
        self.seed = seed

    def run(self) -> None:
        with suppress(OSError, http.client.HTTPException):
            while True:
                self.push_image(self.random.choice(REPOSITORIES))

    def push_image(self, name: str) -> None:
        layers = [self.random.randbytes(self.random.choice([0, 1000, 300_000, 3_000_000])) for _ in range(2)]
        payload = image_manifest(*(self.push_blob(name, content) for content in layers))
        # A tag of this client's own: one that moves, or a new one.
        tag = self.random.choice([self.seed.rpartition("-")[2], f"{self.seed}-{digest_of(payload)[7:15]}"])
        digests = self.acknowledged.tags.setdefault((name, tag), [])
        digests.append(digest_of(payload))
        self.client.push_manifest(name, tag, payload, mediatypes.OCI_MANIFEST)
        self.acknowledged.manifests.add((name, digest_of(payload)))
        self.acknowledged.tagged.add((name, tag))
        del digests[:-1]
        self.acknowledged.count()

    def push_blob(self, name: str, content: bytes) -> str:
        location = self.client.start_upload(name)
        self.acknowledged.uploads[location] = content
        # An upload of one byte says that it has the range 0-0, and so does an empty one.
        cuts = sorted(self.random.randrange(0, len(content) + 1, 100) for _ in range(2))
        pieces = [content[: cuts[0]], content[cuts[0] : cuts[1]], content[cuts[1] :]]
        for piece in pieces[:2]:
            body = iter([piece]) if self.random.random() < 0.5 else piece
            assert self.client.request("PATCH", location, body).status == 202
        answer = self.client.request("PUT", with_query(location, digest=digest_of(content)), pieces[2])
        assert answer.status == 201
        self.acknowledged.blobs.add((name, digest_of(content)))
        del self.acknowledged.uploads[location]
        self.acknowledged.count()
        return digest_of(content)


def kill_while_pushing(server: Server, acknowledged: Acknowledged, seed: str) -> None:
    """Let clients push, and kill the server soon after it has acknowledged some of it."""
    source = random.Random(seed)
    acknowledged.wanted = source.randrange(3, 15)
    acknowledged.enough.clear()
    pushers = [Pusher(Client(server.url), acknowledged, f"{seed}-{number}") for number in range(PUSHERS)]
    with ThreadPoolExecutor(PUSHERS) as pool:
        pushing = [pool.submit(pusher.run) for pusher in pushers]
        acknowledged.enough.wait(60)
        threading.Event().wait(source.random() * 0.05)  # so that it is not always just after an answer
        server.kill()
    for each in pushing:
        each.result()


def check(client: Client, acknowledged: Acknowledged, directory: Path) -> None:
    for name, digest in acknowledged.blobs:
        assert digest_of(client.blob(name, digest).body) == digest
    for name, digest in acknowledged.manifests:
        assert digest_of(client.manifest(name, digest).body) == digest
    for name in REPOSITORIES:
        check_tags(client, acknowledged, name)
    check_blobs_are_whole(directory)


def check_tags(client: Client, acknowledged: Acknowledged, name: str) -> None:
    """Hold that each tag listed points at one of the manifests put under it last, and that it is there."""
    listed = client.tags(name).json().get("tags", [])
    for tag in listed:
        answer = client.manifest(name, tag)
        assert answer.status == 200
        assert digest_of(answer.body) in acknowledged.tags[name, tag]
    assert {tag for owner, tag in acknowledged.tagged if owner == name} <= set(listed)


def check_blobs_are_whole(directory: Path) -> None:
    """Hold that whatever stands under a digest has it, whether anything links to it or not."""
    for path, content in storages.files_at(directory, "/docker/registry/v2/blobs"):
        *_, hexadecimal, name = path.split("/")
        assert name != "data" or digest_of(content) == f"sha256:{hexadecimal}"


def finish_uploads(client: Client, acknowledged: Acknowledged) -> None:
    """Go on with every upload that the registry still knows."""
    for location, content in acknowledged.uploads.items():
        status = client.request("GET", location).status
        assert status in (204, 404)
        if status == 204:
            finish(client, location, content)
            name = location.removeprefix("/v2/").partition("/blobs/")[0]
            acknowledged.blobs.add((name, digest_of(content)))
    acknowledged.uploads.clear()


def rounds(serve: Serve, directory: Path, kind: str, count: int) -> None:
    acknowledged = Acknowledged()
    for number in range(count):
        kill_while_pushing(serve(directory, kind=kind), acknowledged, f"{kind}-{number}")
        server = serve(directory, kind=kind)
        client = Client(server.url)
        check(client, acknowledged, directory)
        finish_uploads(client, acknowledged)
        check(client, acknowledged, directory)
        server.stop()


@pytest.mark.parametrize("kind", ["granian", "gthread"])
def test_a_killed_registry_has_what_it_acknowledged_and_nothing_partial(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    rounds(serve, tmp_path / "data", kind, 2)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["granian", "gthread"])
def test_a_registry_killed_again_and_again_has_what_it_acknowledged(serve: Serve, tmp_path: Path, kind: str) -> None:
    rounds(serve, tmp_path / "data", kind, 50)
