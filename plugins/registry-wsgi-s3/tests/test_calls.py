"""What requests cost in calls of the store, each of which is time and money."""

from __future__ import annotations

import itertools
from contextlib import closing

import pytest
from registry_wsgi_redis import RedisCacheProvider
from registry_wsgi_s3 import S3Driver

from registry_wsgi import mediatypes
from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.context import Context
from registry_wsgi.storage import collection
from registry_wsgi.storage.purge import purge_uploads
from registry_wsgi.storage.witnessed import witnessed_links
from registry_wsgi.testing._drivers_case import seeded
from tests.api.inprocess import InProcess
from tests.redis_servers import RedisServer
from tests.stack import image_manifest, stack_over
from tests.waiting import until
from tests.wire import digest_of

CTX = Context()
PART = 5 * 2**20
LAYER, CONFIG = seeded(PART // 2), b"{}"
MANIFEST = image_manifest(digest_of(CONFIG), digest_of(LAYER))
numbers = itertools.count()


@pytest.fixture
def section(seaweed):
    return seaweed.section(f"calls/{next(numbers)}", chunksize=PART, uploadlease=1)


@pytest.fixture
def driver(section):
    return S3Driver(**section)


@pytest.fixture
def counted(section, proxy):
    return S3Driver(**section | {"regionendpoint": proxy.endpoint})


def remembering(driver):
    """Return a client of a registry as it is configured by default, with what it remembers."""
    return InProcess(stack_over(driver, cache=InMemoryCacheProvider(), responses={"blobs": False}, believed=3600))


def pushed(client):
    for content in (CONFIG, LAYER):
        client.push_blob("a", content)
    client.push_manifest("a", "v1", MANIFEST, mediatypes.OCI_MANIFEST)
    return client


def test_a_batch_delete_takes_one_call_for_a_thousand_keys(counted, proxy):
    counted._bucket.delete([f"absent/{number}" for number in range(2500)])
    assert proxy.taken() == {"DeleteObjects": 3}


def test_a_page_asks_for_no_more_than_is_in_it(driver, counted, proxy):
    for name in ("a", "a-b", "a.b", *(f"v1.{number:03}" for number in range(40))):
        driver.put_content(CTX, f"/tags/{name}/link", b"")
    proxy.taken()
    assert counted.list_after(CTX, "/tags", "", 3) == ["a", "a-b", "a.b"]
    assert sum(proxy.taken().values()) <= 3
    assert counted.list_after(CTX, "/tags", "v1.000", 10) == [f"v1.{number:03}" for number in range(1, 11)]
    assert sum(proxy.taken().values()) <= 2
    assert counted.list_after(CTX, "/tags", "v1.035", 10) == [f"v1.{number:03}" for number in range(36, 40)]
    assert proxy.taken() == {"ListObjects": 1}


def test_a_writer_asks_with_one_call_whether_garbage_is_collected_and_then_not_for_a_while(counted, proxy, monkeypatch):
    monkeypatch.setattr(collection, "REMEMBERED", 3600.0)
    watch = collection.CollectionWatch(counted)
    assert not watch.keep(Context(), [digest_of(CONFIG)])
    assert proxy.taken() == {"GetObject": 1}
    assert not watch.keep(Context(), [digest_of(CONFIG)])
    assert proxy.taken() == {}


def test_a_blob_whose_digest_is_known_first_is_neither_copied_nor_moved(counted, proxy, monkeypatch):
    monkeypatch.setattr(collection, "REMEMBERED", 3600.0)
    client = InProcess(stack_over(counted))
    client.push_blob("a", b"first")
    proxy.taken()
    small, large = b"small", seeded(2 * PART + 1)
    looks = {"HeadObject": 1, "ListObjects": 1}
    parts = {"CreateMultipartUpload": 1, "UploadPart": 3, "CompleteMultipartUpload": 1}
    for content, calls in ((small, looks | {"PutObject": 2}), (large, looks | {"PutObject": 1} | parts)):
        answer = client.request("POST", f"/v2/a/blobs/uploads/?digest={digest_of(content)}", content)
        assert answer.status == 201
        assert proxy.taken() == calls
        assert client.blob("a", digest_of(content)).body == content
        proxy.taken()


def test_parts_are_sent_while_the_client_is_still_sending(counted, proxy):
    with closing(counted.stage(CTX, "/a")) as writer:
        for sent in range(1, 4):
            writer.write(bytes(PART))
            until(lambda sent=sent: proxy.counts["UploadPart"] >= sent)
    assert proxy.taken()["AbortMultipartUpload"] == 1


def test_a_pull_by_tag_takes_three_calls_and_after_that_one(driver, counted, proxy):
    pushed(remembering(driver))
    client = remembering(counted)
    for calls in (3, 1, 1):
        assert client.manifest("a", "v1").body == MANIFEST
        assert proxy.taken() == {"GetObject": calls}
    for calls in ({"GetObject": 2}, {}, {}):
        assert client.manifest("a", digest_of(MANIFEST)).body == MANIFEST
        assert proxy.taken() == calls


def test_a_pull_of_a_blob_takes_one_call_where_its_link_was_seen_a_moment_ago(counted, proxy):
    client = pushed(remembering(counted))
    proxy.taken()
    for _ in range(2):
        assert client.blob("a", digest_of(LAYER)).body == LAYER
        assert proxy.taken() == {"GetObject": 1}


def test_a_pull_of_a_blob_takes_two_calls_where_its_link_was_not_seen(counted, proxy):
    client = pushed(InProcess(stack_over(counted, cache=InMemoryCacheProvider())))
    proxy.taken()
    assert client.blob("a", digest_of(LAYER)).body == LAYER
    assert proxy.taken() == {"HeadObject": 1, "GetObject": 1}


@pytest.fixture
def redis(tmp_path):
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


def sharing(driver, redis, believed=1e-9):
    """Return a client of a process that shares a Redis, and by itself believes what it saw for a moment."""
    cache = RedisCacheProvider(addr=redis.address)
    links = witnessed_links(driver, cache, seconds=3600)
    return InProcess(stack_over(driver, cache=cache, believed=believed, witnessed=links))


def test_a_pull_of_a_blob_takes_one_call_where_any_process_with_the_same_redis_saw_its_link(
    driver, counted, proxy, redis
):
    sharing(driver, redis).push_blob("a", LAYER)
    client = sharing(counted, redis)
    for _ in range(2):
        assert client.blob("a", digest_of(LAYER)).body == LAYER
        assert proxy.taken() == {"GetObject": 1}
    assert client.request("HEAD", f"/v2/a/blobs/{digest_of(LAYER)}").status == 200
    assert proxy.taken() == {"HeadObject": 1}  # of the data: that was not seen by this process yet
    assert client.request("HEAD", f"/v2/a/blobs/{digest_of(LAYER)}").status == 200
    assert proxy.taken() == {}
    assert sharing(driver, redis).delete("a", "blobs", digest_of(LAYER)) == 202
    assert client.blob("a", digest_of(LAYER)).status == 404


def test_the_purger_finds_and_aborts_what_a_killed_process_left(driver, counted, proxy):
    """Parts that no upload shows: of a blob whose digest was known first, and whose process died."""
    dead = driver.stage(CTX, "/docker/registry/v2/blobs/sha256/00/00/data")
    dead.write(seeded(2 * PART))
    dead._stream._collect(0)
    proxy.taken()
    assert purge_uploads(CTX, counted, age=3600).deleted == []
    later = purge_uploads(CTX, counted, age=-3600, dry_run=True)
    assert later.deleted == ["/docker/registry/v2/blobs/sha256/00/00/data"]
    assert "AbortMultipartUpload" not in proxy.taken()
    assert purge_uploads(CTX, counted, age=-3600).deleted == later.deleted
    assert proxy.taken()["AbortMultipartUpload"] == 1
    assert list(driver._bucket.uploads(driver._bucket.key("/docker"))) == []


def test_clients_are_sent_to_the_store_and_get_the_blob_there(driver):
    from urllib.request import Request, urlopen  # noqa: PLC0415

    driver.put_content(CTX, "/a/b", b"content")
    with urlopen(driver.redirect_url(CTX, "/a/b", "GET")) as answer:
        assert answer.read() == b"content"
    with urlopen(Request(driver.redirect_url(CTX, "/a/b", "HEAD"), method="HEAD")) as answer:
        assert answer.headers["Content-Length"] == "7"
