"""One bucket for us and for docker-registry 2.8: what one pushes the other serves, and deletes."""

from __future__ import annotations

import json
from contextlib import ExitStack

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.testing._drivers_case import seeded
from tests import servers
from tests.wire import Client, digest_of

LAYERS = [seeded(1000, 1), seeded(12 * 2**20, 2), seeded(45 * 2**20, 3)]
CONFIG = b'{"architecture":"amd64","os":"linux"}'
KINDS = ("granian", "docker-registry")


@pytest.fixture(scope="module")
def registries(seaweed, tmp_path_factory):
    section = {"storage": {"s3": seaweed.section("/compatible"), "redirect": {"disable": True}}}
    with ExitStack() as stack:
        running = {}
        for kind in KINDS:
            work = tmp_path_factory.mktemp(kind)
            server = servers.start(kind, work / "unused", work, sections=section)
            stack.callback(server.stop)
            running[kind] = Client(server.url)
        yield running


def push_image(client, name):
    config = client.push_blob(name, CONFIG)
    layers = [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "size": len(each)} for each in LAYERS]
    for layer, content in zip(layers, LAYERS, strict=True):
        location = client.start_upload(name)
        answer = client.request("PATCH", location, content)
        assert answer.status == 202
        location = answer.headers["Location"]
        digest = layer["digest"] = digest_of(content)
        separator = "&" if "?" in location else "?"
        assert client.request("PUT", f"{location}{separator}digest={digest}", b"").status == 201
    manifest = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": len(CONFIG)},
        "layers": layers,
    }
    return client.push_manifest(name, "v1", json.dumps(manifest).encode(), mediatypes.OCI_MANIFEST)


@pytest.mark.parametrize(("pusher", "puller"), [KINDS, KINDS[::-1]])
def test_what_one_pushes_the_other_serves_and_deletes(registries, pusher, puller):
    name = f"from/{pusher}"
    digest = push_image(registries[pusher], name)
    client = registries[puller]
    assert client.manifest(name, "v1").digest == digest
    assert client.tags(name).json()["tags"] == ["v1"]
    assert name in client.catalog()
    for content in (CONFIG, *LAYERS):
        assert client.blob(name, digest_of(content)).body == content
    assert client.delete(name, "manifests", digest) == 202
    for kind in KINDS:
        assert registries[kind].manifest(name, digest).status == 404
        assert registries[kind].manifest(name, "v1").status == 404
    assert client.delete(name, "blobs", digest_of(CONFIG)) == 202
    assert registries[pusher].blob(name, digest_of(CONFIG)).status == 404
