"""Blobs whose data another program deleted: a cache that knows them still is not believed."""

from __future__ import annotations

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.drivers.delegate import DelegatingDriver
from registry_wsgi.drivers.filesystem import FilesystemDriver
from registry_wsgi.drivers.inmemory import InMemoryDriver
from registry_wsgi.storage import paths, presence
from registry_wsgi.storage.presence import Seen
from tests import storages
from tests.api.inprocess import InProcess
from tests.stack import CountingDriver, image_manifest, stack_over

CTX = Context()
LAYER = b"layer" * 100
DIGEST = Digest.of(LAYER)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Unprobing(DelegatingDriver):
    """A driver like those of object stores, which have no cheap way to look."""

    def probe(self, path, content=None):
        return None


def remembered_by(driver):
    """Return a client of a registry whose cache knows the layer, and whose storage has it."""
    client = InProcess(stack_over(driver, cache=InMemoryCacheProvider()))
    client.push_blob("a", LAYER)
    assert client.request("HEAD", f"/v2/a/blobs/{DIGEST}").status == 200
    return client


def push(client):
    """Push as clients do: a blob that is said to be there is not sent. Return the status of the manifest."""
    for content in (b"{}", LAYER):
        if client.request("HEAD", f"/v2/a/blobs/{Digest.of(content)}").status == 404:
            client.push_blob("a", content)
    manifest = image_manifest(Digest.of(b"{}"), DIGEST)
    headers = {"Content-Type": mediatypes.OCI_MANIFEST}
    return client.request("PUT", "/v2/a/manifests/v1", manifest, headers).status


@pytest.fixture(params=["filesystem", "inmemory"])
def probing(request, tmp_path):
    return FilesystemDriver(rootdirectory=str(tmp_path)) if request.param == "filesystem" else InMemoryDriver()


@pytest.fixture
def unprobing():
    return Unprobing(storages.new_driver())


def test_a_layer_that_another_program_collected_is_unknown_at_once_and_pushed_again(probing):
    client = remembered_by(probing)
    probing.delete(CTX, paths.blob_data(DIGEST))
    for method in ("HEAD", "GET"):
        assert client.request(method, f"/v2/a/blobs/{DIGEST}").status == 404
    assert push(client) == 201
    assert client.blob("a", DIGEST).body == LAYER


def test_over_an_object_store_it_is_unknown_after_a_while(unprobing, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(presence, "Seen", lambda: Seen(clock=clock))
    client = remembered_by(unprobing)
    unprobing.delete(CTX, paths.blob_data(DIGEST))
    assert client.request("HEAD", f"/v2/a/blobs/{DIGEST}").status == 200
    clock.now += presence.SECONDS
    assert client.request("HEAD", f"/v2/a/blobs/{DIGEST}").status == 404
    assert push(client) == 201
    assert client.blob("a", DIGEST).body == LAYER


def test_over_an_object_store_no_manifest_without_its_layer_is_taken_and_the_next_push_is_whole(unprobing):
    client = remembered_by(unprobing)
    unprobing.delete(CTX, paths.blob_data(DIGEST))
    assert push(client) == 400
    assert push(client) == 201
    assert client.blob("a", DIGEST).body == LAYER


def test_over_an_object_store_a_blob_is_looked_for_once_in_a_while(unprobing):
    driver = CountingDriver(unprobing)
    cache = InMemoryCacheProvider()
    InProcess(stack_over(driver, cache=cache)).push_blob("a", LAYER)
    client = InProcess(stack_over(driver, cache=cache))
    driver.taken()
    for expected in (["stat link", "stat data"], ["stat link"], ["stat link"]):
        assert client.request("HEAD", f"/v2/a/blobs/{DIGEST}").status == 200
        assert driver.taken() == expected


def test_what_was_missed_is_looked_for_before_its_time():
    seen = Seen()
    seen.found(DIGEST)
    assert seen.stands(DIGEST)
    seen.missed(DIGEST)
    assert not seen.stands(DIGEST)
