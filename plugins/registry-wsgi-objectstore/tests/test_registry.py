"""Registries as processes over one container: what one begins another ends, also where the first was killed."""

from __future__ import annotations

import json
import random
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import yaml

from registry_wsgi import mediatypes
from tests import servers
from tests.redis_servers import RedisServer
from tests.stack import image_manifest
from tests.waiting import until
from tests.wire import Client, digest_of
from tests.wsgi.uploading import finish, received

CONTENT = random.Random(0).randbytes(20 * 2**20)
MIB = 2**20
EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def serve(section, tmp_path_factory):
    """Start registries over one root of the container."""
    with ExitStack() as stack:

        def serve(kind="granian", *, redirect=False):
            work = tmp_path_factory.mktemp(kind)
            storage = {"azure": section, "delete": {"enabled": True}, "redirect": {"disable": not redirect}}
            server = servers.start(kind, work, work, environment={"REGISTRY_STORAGE": json.dumps(storage)})
            stack.callback(lambda: server.process.poll() is None and server.stop())
            return server

        yield serve


def push_image(client, name, tag, layer):
    config, pushed = client.push_blob(name, b"{}"), client.push_blob(name, layer)
    return client.push_manifest(name, tag, image_manifest(config, pushed), mediatypes.OCI_MANIFEST)


def test_an_image_that_one_registry_took_is_served_tagged_and_deleted_by_another(serve):
    first, second = Client(serve().url), Client(serve("gthread").url)
    digest = push_image(first, "a/b", "v1", CONTENT)
    assert second.manifest("a/b", "v1").digest == digest
    assert second.blob("a/b", digest_of(CONTENT)).body == CONTENT
    partial = second.request("GET", f"/v2/a/b/blobs/{digest_of(CONTENT)}", headers={"Range": "bytes=9000000-9000009"})
    assert (partial.status, partial.body) == (206, CONTENT[9_000_000:9_000_010])
    for tag in ("v1-a", "v1.b", "v0", "v10"):
        second.push_manifest("a/b", tag, second.manifest("a/b", "v1").body, mediatypes.OCI_MANIFEST)
    assert first.tags("a/b").json()["tags"] == ["v0", "v1", "v1-a", "v1.b", "v10"]
    assert first.request("GET", "/v2/a/b/tags/list?n=2&last=v1").json()["tags"] == ["v1-a", "v1.b"]
    assert first.catalog() == ["a/b"]
    assert second.delete("a/b", "manifests", digest) == 202
    assert second.delete("a/b", "blobs", digest_of(CONTENT)) == 202
    assert first.manifest("a/b", "v1").status == 404
    assert first.blob("a/b", digest_of(CONTENT)).status == 404


def test_each_part_of_an_upload_may_go_to_another_registry(serve):
    clients = [Client(serve().url), Client(serve("gthread").url)]
    location, sent = clients[0].start_upload("a"), 0
    for number, size in enumerate([1, 5 * MIB, 9 * MIB + 7, 3 * MIB]):
        part = CONTENT[sent : sent + size]
        headers = {"Content-Range": f"{sent}-{sent + size - 1}"}
        assert clients[number % 2].request("PATCH", location, part, headers).status == 202
        sent += size
    assert received(clients[0], location) == sent
    finish(clients[1], location, CONTENT)
    assert clients[0].blob("a", digest_of(CONTENT)).body == CONTENT
    assert clients[1].request("GET", location).status == 404


def test_an_upload_whose_registry_was_killed_goes_on_at_another(serve):
    first, second = serve(), serve("gthread")
    dying, living = Client(first.url), Client(second.url)
    location = dying.start_upload("a")
    assert dying.request("PATCH", location, CONTENT[:MIB], {"Content-Range": f"0-{MIB - 1}"}).status == 202
    killed = threading.Event()

    def body():
        """Send the half of the rest, and no more until the registry is gone."""
        yield CONTENT[MIB : 12 * MIB]
        killed.wait(60)

    def send():
        with suppress(OSError, ValueError, EOFError):
            dying.request("PATCH", location, body())

    sending = threading.Thread(target=send)
    sending.start()
    try:
        until(lambda: received(living, location) > MIB)
        first.kill()
    finally:
        killed.set()
        sending.join(60)
    assert received(living, location) >= MIB
    finish(living, location, CONTENT)
    assert living.blob("a", digest_of(CONTENT)).body == CONTENT


def test_two_hosts_from_the_example_of_many_serve_what_either_took(section, tmp_path_factory):
    example = yaml.safe_load((EXAMPLES / "many_hosts" / "azure.yml").read_text())
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    sections = {
        "storage": {**example["storage"], "azure": example["storage"]["azure"] | section},
        "redis": example["redis"] | {"addr": redis.address, "password": ""},
    }
    with ExitStack() as stack:
        redis.start()
        stack.callback(redis.stop)
        hosts = []
        for _ in range(2):
            work = tmp_path_factory.mktemp("host")
            hosts.append(servers.start("gthread", work, work, sections=sections, arguments=("--workers", "2")))
            stack.callback(hosts[-1].kill)
        first, second = (Client(host.url) for host in hosts)
        digest = push_image(first, "a/b", "v1", CONTENT)
        assert second.manifest("a/b", "v1").digest == digest
        assert second.request("HEAD", f"/v2/a/b/blobs/{digest_of(CONTENT)}").status in (200, 307)
        assert second.delete("a/b", "blobs", digest_of(CONTENT)) == 202
        assert first.request("HEAD", f"/v2/a/b/blobs/{digest_of(CONTENT)}").status == 404


def test_clients_are_sent_to_the_store_for_blobs(serve):
    client = Client(serve(redirect=True).url)
    digest = client.push_blob("a", CONTENT)
    answer = client.blob("a", digest)
    assert answer.status == 307
    assert Client(answer.headers["Location"]).request("GET", answer.headers["Location"]).body == CONTENT
