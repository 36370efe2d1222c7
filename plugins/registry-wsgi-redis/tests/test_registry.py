"""Registries with the cache: beside registry:2 on one Redis, and while Redis comes and goes."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest
from registry_wsgi_redis import RedisCacheProvider

from registry_wsgi import mediatypes
from registry_wsgi.context import Context
from registry_wsgi.storage import paths
from tests import servers, storages
from tests.waiting import until
from tests.wire import Client, digest_of

LAYER = b"a layer" * 1000
IMAGES = 5


@pytest.fixture
def serve(tmp_path_factory):
    """Start registries on one directory and one Redis: `serve(redis, kind)`; `http` is their section of that name."""
    directory = tmp_path_factory.mktemp("data")
    with ExitStack() as stack:

        def serve(redis, kind="granian", http=None, **section):
            sections = {
                "http": http or {},
                "storage": {"cache": {"blobdescriptor": "redis"}},
                "redis": {"addr": redis.address, **section},
            }
            server = servers.start(kind, directory, tmp_path_factory.mktemp(kind), sections=sections)
            stack.callback(lambda: server.process.poll() is None and server.stop())
            return server

        yield serve


def content(redis):
    """Return all keys with their values, but for the links that we remember over an object store."""
    with redis.client(decode_responses=True) as client:
        return {
            key: client.hgetall(key) if client.type(key) == "hash" else client.smembers(key)
            for key in client.scan_iter()
            if not key.startswith("link::")
        }


def push_image(client, name, tag="latest"):
    config = client.push_blob(name, b"{}")
    layer = client.push_blob(name, LAYER)
    manifest = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": len(LAYER)}],
    }
    return client.push_manifest(name, tag, json.dumps(manifest).encode(), mediatypes.OCI_MANIFEST)


def test_registry_2_and_this_one_remember_the_same(redis, serve):
    known = {}
    for kind in ("docker-registry", "granian"):
        server = serve(redis, kind)
        client = Client(server.url)
        client.push_blob("a/b", LAYER)
        assert client.blob("a/b", digest_of(LAYER)).body == LAYER
        known[kind] = content(redis)
        with redis.client() as stored:
            stored.flushall()
    ours = known["granian"][f"repository::a/b::blobs::{digest_of(LAYER)}"]
    assert (ours.pop("digest"), ours.pop("size")) == (digest_of(LAYER), str(len(LAYER)))  # what we add to it
    assert known["granian"] == known["docker-registry"]


def test_both_push_to_pull_from_and_delete_in_one_storage_and_one_redis(redis, serve):
    ours, theirs = Client(serve(redis).url), Client(serve(redis, "docker-registry").url)
    digests = {push_image(ours, "from-us"), push_image(theirs, "from-them")}
    assert len(digests) == 1
    for client in (ours, theirs):
        for name in ("from-us", "from-them"):
            assert client.blob(name, digest_of(LAYER)).body == LAYER
            assert client.manifest(name, "latest").digest in digests
    assert ours.delete("from-them", "blobs", digest_of(LAYER)) == 202
    assert theirs.delete("from-us", "blobs", digest_of(LAYER)) == 202
    for name in ("from-us", "from-them"):
        storages.check_seen(lambda name=name: ours.blob(name, digest_of(LAYER)).status == 404)
    # docker-registry 2.8.2 leaves the membership behind (CVE-2026-35172); ours does not.
    assert digest_of(LAYER) not in content(redis)["repository::from-them::blobs"]
    assert theirs.blob("from-them", digest_of(LAYER)).status == 404


def test_each_finds_what_the_other_remembered(redis, serve):
    """What Redis says is believed by the other: docker-registry, whose link is gone, answers from it alone."""
    ours = serve(redis)
    theirs = Client(serve(redis, "docker-registry").url)
    theirs.push_blob("from-them", LAYER)
    provider = RedisCacheProvider(addr=redis.address)
    assert provider.repository_scoped("from-them").stat(Context(), digest_of(LAYER)).size == len(LAYER)
    with redis.client() as stored:
        stored.flushall()
    Client(ours.url).push_blob("from-us", LAYER)
    driver = storages.driver_of(json.loads(ours.config.read_text())["storage"])
    driver.delete(Context(), paths.layers("from-us"))
    found = theirs.request("HEAD", f"/v2/from-us/blobs/{digest_of(LAYER)}")
    assert (found.status, found.headers["Content-Length"]) == (200, str(len(LAYER)))
    with redis.client() as stored:
        stored.flushall()
    assert theirs.request("HEAD", f"/v2/from-us/blobs/{digest_of(LAYER)}").status == 404


def test_a_blob_that_one_process_deleted_is_deleted_for_another(redis, serve):
    first, second = Client(serve(redis).url), Client(serve(redis).url)
    first.push_blob("a", LAYER)
    assert second.blob("a", digest_of(LAYER)).status == 200
    assert first.delete("a", "blobs", digest_of(LAYER)) == 202
    assert second.blob("a", digest_of(LAYER)).status == 404
    second.push_blob("b", LAYER)
    assert first.blob("a", digest_of(LAYER)).status == 404
    second.push_blob("a", LAYER)
    assert first.blob("a", digest_of(LAYER)).body == LAYER


# ── while Redis comes and goes ────────────────────────────────────────────────────────────────


@contextmanager
def clients_at_work(server):
    """Push and pull with several clients while the block runs; give the slowest request's seconds in a list.

    Fails at the end where any request failed, or where nothing was asked.
    """
    over, failures, slowest = threading.Event(), [], [0.0]
    done = [0]

    def work(number):
        client, name = Client(server.url), f"worker{number}"
        while not over.is_set():
            started = time.monotonic()
            try:
                client.push_blob(name, LAYER)
                assert client.blob(name, digest_of(LAYER)).body == LAYER
                assert client.delete(name, "blobs", digest_of(LAYER)) == 202
                assert client.blob(name, digest_of(LAYER)).status == 404
            except Exception as error:
                failures.append(error)
                return
            slowest[0] = max(slowest[0], time.monotonic() - started)
            done[0] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(IMAGES)]
    for thread in threads:
        thread.start()
    try:
        yield slowest
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert failures == []
    assert done[0] >= IMAGES


def lines_of_failure(server):
    return [line for line in server.log.read_text().splitlines() if "the Redis cache failed" in line]


def test_requests_go_on_while_redis_is_away_and_use_it_again_when_it_is_back(start_redis, serve):
    redis = start_redis()
    server = serve(redis)
    with clients_at_work(server):
        time.sleep(1)
        redis.stop()
        time.sleep(3)
        redis.start()
        until(lambda: any(key.startswith("repository::worker") for key in content(redis)))
        until(lambda: "the Redis cache answers again" in server.log.read_text())
        redis.stop()
        time.sleep(3)
    (line,) = lines_of_failure(server)
    assert redis.address.rpartition(":")[2] in line
    assert "level=error" not in server.log.read_text().replace(line, "")


def test_requests_go_on_while_redis_hangs(start_redis, serve):
    redis = start_redis()
    server = serve(redis, readtimeout="100ms")
    with clients_at_work(server) as slowest:
        time.sleep(1)
        redis.signal(signal.SIGSTOP)
        time.sleep(4)
        redis.signal(signal.SIGCONT)
        until(lambda: "the Redis cache answers again" in server.log.read_text())
    assert slowest[0] < 8
    assert len(lines_of_failure(server)) == 1


def failures_counted(port):
    """Return how often, as the metrics say, the cache could not be reached."""
    metrics = Client(f"http://127.0.0.1:{port}").request("GET", "/metrics").body.decode()
    return float(re.search(r"^registry_storage_cache_errors_total\S* (\S+)$", metrics, re.MULTILINE)[1])


def test_requests_go_on_while_redis_is_full(start_redis, serve):
    redis, port = start_redis("--maxmemory", "1mb", "--maxmemory-policy", "noeviction"), servers.free_port()
    server = serve(redis, http={"debug": {"addr": f"127.0.0.1:{port}", "prometheus": {"enabled": True}}})
    with clients_at_work(server):
        time.sleep(2)
    assert len(lines_of_failure(server)) == 1
    until(lambda: failures_counted(port) > 0)
    with redis.client() as client:
        client.config_set("maxmemory", "0")
    Client(server.url).push_blob("after", LAYER)
    assert "repository::after::blobs" in content(redis)


def test_a_registry_that_starts_before_redis_uses_it_once_it_is_there(start_redis, serve):
    redis = start_redis()
    redis.stop()
    server = serve(redis)
    client = Client(server.url)
    client.push_blob("before", LAYER)
    redis.start()

    def remembered():
        client.push_blob("before", LAYER)
        return "repository::before::blobs" in content(redis)

    until(remembered)
