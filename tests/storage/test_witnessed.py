"""Links that processes tell each other of, over a store where each look is a call."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.drivers.delegate import DelegatingDriver
from registry_wsgi.drivers.filesystem import FilesystemDriver
from registry_wsgi.drivers.inmemory import InMemoryDriver
from registry_wsgi.errors import Unavailable
from registry_wsgi.storage import garbage, paths, witnessed
from registry_wsgi.storage.registry import Registry
from registry_wsgi.storage.witnessed import WitnessedLinks, witnessed_links
from tests.api.inprocess import InProcess
from tests.stack import CountingDriver, image_manifest, stack_over

CTX = Context()
LAYER = b"layer" * 100
DIGEST = Digest.of(LAYER)
LINK = paths.layer_link("a", DIGEST)
A_MOMENT = 1e-9
"""So long a process believes what it saw itself: long enough for links to be told of, and over at the next look."""


class Unprobing(InMemoryDriver):
    """A driver like those of object stores, which have no cheap way to look."""

    def probe(self, path, content=None):
        return None


class Shared(InMemoryCacheProvider):
    """A cache provider that processes share, with a clock of its own."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.said = {}

    def _holds(self, link):
        return self.said.get(link, (False, 0.0))[1] > self.now

    def testify(self, ctx, link, seconds):
        if not self._holds(link):
            self.said[link] = True, self.now + seconds

    def testified(self, ctx, link):
        return self._holds(link) and self.said[link][0]

    def withdraw(self, ctx, link, seconds):
        self.said[link] = False, self.now + seconds


@pytest.fixture
def shared():
    return Shared()


@pytest.fixture
def storage():
    return Unprobing()


@pytest.fixture
def process(storage, shared):
    """Start processes, which have only storage and the cache in common."""

    def start(driver=storage, seconds=60.0, believed=A_MOMENT):
        links = witnessed_links(driver, shared, seconds)
        return InProcess(stack_over(driver, cache=shared, believed=believed, witnessed=links))

    return start


def pull(client):
    return client.blob("a", DIGEST).status


def test_a_link_that_one_process_wrote_or_saw_no_other_one_looks_for(process, storage, shared):
    process().push_blob("a", LAYER)
    driver = CountingDriver(storage)
    assert pull(process(driver)) == 200
    assert driver.taken() == ["reader data"]
    shared.now += 61
    for calls in (["stat link", "reader data"], ["reader data"], ["reader data"]):
        assert pull(process(driver)) == 200
        assert driver.taken() == calls


def test_what_one_process_deletes_no_other_serves(process):
    first, second = process(), process()
    first.push_blob("a", LAYER)
    assert pull(second) == 200
    assert first.delete("a", "blobs", DIGEST) == 202
    for client in (first, second, process()):
        assert pull(client) == 404
    first.push_blob("a", LAYER)
    assert pull(second) == 200


def test_a_process_that_believes_nobody_tells_of_its_deletes_all_the_same(process, storage):
    first, second, third = process(), process(seconds=0.0), process(believed=0.0)
    for client in (second, third):
        first.push_blob("a", LAYER)
        assert pull(first) == 200
        assert client.delete("a", "blobs", DIGEST) == 202
        assert pull(first) == 404


def test_a_process_that_believes_nobody_looks_each_time(process, storage):
    process().push_blob("a", LAYER)
    driver = CountingDriver(storage)
    assert pull(process(driver, seconds=0.0)) == 200
    assert driver.taken() == ["stat link", "reader data"]


class Overtaken(DelegatingDriver):
    """A driver of which what was seen of the link is told when something else was done."""

    def __init__(self, driver, meanwhile):
        super().__init__(driver)
        self._meanwhile = meanwhile

    def stat(self, ctx, path):
        found = super().stat(ctx, path)
        if path == LINK:
            self._meanwhile()
        return found


def test_a_look_that_a_delete_overtook_makes_nobody_believe_in_the_link(process, storage, shared):
    first = process()
    first.push_blob("a", LAYER)
    shared.now += 61
    slow = process(Overtaken(storage, lambda: first.delete("a", "blobs", DIGEST)))
    assert pull(slow) == 200
    for client in (slow, first, process()):
        assert pull(client) == 404


def test_whoever_was_held_up_since_his_look_testifies_to_nothing(shared, monkeypatch):
    links = WitnessedLinks(shared, 60.0)
    monkeypatch.setattr(witnessed, "time", SimpleNamespace(monotonic=lambda: 1031.0))
    links.saw(CTX, LINK, 1000.0)
    assert not shared.testified(CTX, LINK)
    links.saw(CTX, LINK, 1030.0)
    assert shared.testified(CTX, LINK)


def test_a_delete_by_a_program_that_tells_nobody_is_seen_when_the_time_is_over(process, storage, shared):
    client = process()
    client.push_blob("a", LAYER)
    storage.delete(CTX, LINK)
    assert pull(client) == 200
    shared.now += 61
    assert pull(client) == 404


def test_a_garbage_collection_tells_of_the_links_that_it_deletes(process, storage, shared):
    client = process()
    client.push_blob("a", LAYER)
    assert shared.testified(CTX, LINK)
    registry = Registry(storage, cache=shared, witnessed=witnessed_links(storage, shared, 60.0))
    assert garbage.collect(CTX, registry, grace=0, offline=True).blobs == {DIGEST: len(LAYER)}
    assert not shared.testified(CTX, LINK)
    assert pull(client) == 404


def test_of_manifests_nobody_is_believed(process, storage, shared):
    client = process()
    client.push_blob("a", LAYER)
    client.push_manifest("a", "v1", image_manifest(DIGEST), mediatypes.OCI_MANIFEST)
    assert client.manifest("a", "v1").status == 200
    assert set(shared.said) == {LINK}


@pytest.mark.parametrize("error", [Unavailable("out of reach"), RuntimeError("broken")], ids=repr)
def test_while_nobody_can_be_asked_storage_is(process, storage, shared, monkeypatch, caplog, error):
    monkeypatch.setattr(logging.getLogger("registry_wsgi"), "propagate", True)

    def fail(*arguments):
        raise error

    for method in ("testify", "testified", "withdraw"):
        monkeypatch.setattr(shared, method, fail)
    client, driver = process(), CountingDriver(storage)
    client.push_blob("a", LAYER)
    assert pull(process(driver)) == 200
    assert driver.taken() == ["stat link", "reader data"]
    assert client.delete("a", "blobs", DIGEST) == 202
    assert pull(client) == 404
    said = {record.getMessage() for record in caplog.records if record.levelno == logging.ERROR}
    wanted = {f"the cache failed to {what} a link" for what in ("look up", "remember", "forget")}
    assert said == (set() if isinstance(error, Unavailable) else wanted)


def test_where_a_look_is_cheap_and_where_nothing_is_shared_nobody_is_asked(storage, shared, tmp_path):
    assert witnessed_links(FilesystemDriver(rootdirectory=str(tmp_path)), shared, 60.0) is None
    assert witnessed_links(storage, InMemoryCacheProvider(), 60.0) is None
    assert witnessed_links(storage, None, 60.0) is None
