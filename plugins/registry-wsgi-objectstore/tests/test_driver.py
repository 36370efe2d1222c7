"""The driver: the suite over a store in memory and over Azurite, what is in the store, and who holds a path."""

from __future__ import annotations

import time
import urllib.request
from contextlib import closing

import obstore
import pytest
from obstore.store import MemoryStore
from registry_wsgi_objectstore import ObjectStoreDriver
from registry_wsgi_objectstore.locks import LEASE_SECONDS, Lock
from registry_wsgi_objectstore.objects import PART, Objects
from registry_wsgi_objectstore.stores import azure

from registry_wsgi.context import Context
from registry_wsgi.errors import PathBusy, PathNotFound
from registry_wsgi.storage.purge import purge_uploads
from registry_wsgi.testing.drivers import StorageDriverSuite

CTX = Context()
UPLOAD = "/docker/registry/v2/repositories/a/_uploads/11111111-2222-4333-8444-555555555555"


class TestObjectStoreDriver(StorageDriverSuite):
    has_directories = False
    shows_unfinished_writes = False

    @pytest.fixture
    def store(self):
        return MemoryStore()

    @pytest.fixture
    def driver(self, store):
        return ObjectStoreDriver("objectstore", store, rootdirectory="/below/here")

    @pytest.fixture
    def other_driver(self, store):
        return ObjectStoreDriver("objectstore", store, rootdirectory="/below/here")


class TestObjectStoreDriverOnAzure(StorageDriverSuite):
    has_directories = False
    shows_unfinished_writes = False
    soak_stream_size = 2**30

    @pytest.fixture
    def driver(self, section):
        return azure(**section)

    @pytest.fixture
    def other_driver(self, section):
        return azure(**section)


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def driver(store):
    return ObjectStoreDriver("objectstore", store)


def keys(store):
    return sorted(each["path"] for page in obstore.list(store) for each in page)


# ── what is in the store ──────────────────────────────────────────────────────────────────────


def test_a_file_is_an_object_and_one_that_is_being_written_is_pieces(driver, store):
    driver.put_content(CTX, "/a/link", b"content")
    with closing(driver.writer(CTX, "/a/data")) as writer:
        for _ in range(3):
            writer.write(b"x" * (PART // 2))
        assert keys(store) == ["a/data", f"a/data/={0:020}", "a/data/=lock", "a/link"]
        writer.commit()
    assert keys(store) == ["a/data", f"a/data/={0:020}", f"a/data/={PART:020}", "a/link"]
    assert driver.list(CTX, "/a") == ["/a/data", "/a/link"]
    driver.move(CTX, "/a/data", "/b/data")
    assert keys(store) == ["a/link", "b/data"]
    assert driver.stat(CTX, "/b/data").size == 3 * PART // 2


def test_a_file_of_content_beats_pieces_that_a_dead_process_left(driver, store):
    driver.put_content(CTX, "/data", b"content")
    store.put(f"data/={0:020}", b"left over")
    store.put("data/=lock", b'{"owner": "another", "until": 0}')
    assert driver.get_content(CTX, "/data") == b"content"
    with closing(driver.writer(CTX, "/data", append=True)) as writer:
        writer.write(b", and more")
        writer.commit()
    assert driver.get_content(CTX, "/data") == b"content, and more"


def test_pieces_after_a_gap_do_not_count(driver, store):
    driver.put_content(CTX, "/data", b"")
    store.put(f"data/={0:020}", b"one")
    store.put(f"data/={7:020}", b"another's")
    assert driver.get_content(CTX, "/data") == b"one"
    assert driver.stat(CTX, "/data").size == 3


def test_a_delete_takes_pieces_and_locks_along(driver, store):
    with closing(driver.writer(CTX, f"{UPLOAD}/data")) as writer:
        writer.write(b"content")
        writer.flush()
        driver.delete(CTX, UPLOAD)
    assert keys(store) == []


@pytest.mark.parametrize("kept", ["data", "pieces alone"])
def test_the_purger_finds_what_nobody_will_finish(driver, store, kept):
    with closing(driver.writer(CTX, f"{UPLOAD}/data")) as writer:
        writer.write(b"content")
    if kept == "pieces alone":
        store.delete(f"{UPLOAD}/data")
    assert purge_uploads(CTX, driver, age=3600).deleted == []
    assert keys(store) != []
    time.sleep(0.01)
    assert purge_uploads(CTX, driver, age=0).deleted == [UPLOAD]
    assert keys(store) == []


# ── who holds a path ──────────────────────────────────────────────────────────────────────────


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def objects(store):
    return Objects("objectstore", store)


def test_a_hold_can_be_taken_over_only_when_it_has_run_out(objects, clock):
    first = Lock(objects, "/data", clock)
    clock.now += LEASE_SECONDS
    with pytest.raises(PathBusy) as busy:
        Lock(objects, "/data", clock)
    assert busy.value.path == "/data"
    clock.now += 0.1
    second = Lock(objects, "/data", clock)
    with pytest.raises(PathNotFound):
        first.renew()
    first.release()
    second.renew()
    second.release()
    Lock(objects, "/data", clock)


def test_a_hold_that_is_used_does_not_run_out_and_one_that_nobody_wants_does_no_harm(objects, clock):
    held = Lock(objects, "/data", clock)
    for _ in range(5):
        clock.now += LEASE_SECONDS - 1
        held.renew()
        with pytest.raises(PathBusy):
            Lock(objects, "/data", clock)
    clock.now += 10 * LEASE_SECONDS
    held.renew()


def test_a_writer_that_lost_its_hold_writes_nothing_over(driver, store, monkeypatch):
    monkeypatch.setattr("registry_wsgi_objectstore.locks.LEASE_SECONDS", -1.0)
    slow = driver.writer(CTX, "/data")
    slow.write(b"slow")
    with closing(driver.writer(CTX, "/data", append=True)) as quick:
        quick.write(b"quick")
        quick.flush()
        with pytest.raises(PathNotFound):
            slow.flush()
        slow.close()
        quick.write(b" and whole")
        quick.commit()
    assert driver.get_content(CTX, "/data") == b"quick and whole"


# ── redirects ─────────────────────────────────────────────────────────────────────────────────


def test_a_client_gets_a_file_itself_by_a_signed_url(section):
    driver = azure(**section)
    driver.put_content(CTX, "/a/data", b"content")
    for method in ("GET", "HEAD"):
        request = urllib.request.Request(driver.redirect_url(CTX, "/a/data", method), method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.read() == (b"content" if method == "GET" else b"")
            assert answer.headers["Content-Length"] == "7"


def test_a_store_without_a_key_to_sign_with_redirects_nobody(driver):
    driver.put_content(CTX, "/a", b"content")
    assert driver.redirect_url(CTX, "/a", "GET") == ""
