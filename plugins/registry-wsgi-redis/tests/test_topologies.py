"""Servers found by Sentinel, and a Cluster: what is where, and what happens when one of them is lost."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest
from redis.exceptions import RedisError
from registry_wsgi_redis import RedisCacheProvider

from registry_wsgi.context import Context
from registry_wsgi.descriptor import OCTET_STREAM, Descriptor, Digest
from registry_wsgi.errors import BlobUnknown, Unavailable
from registry_wsgi.testing.caches import CacheProviderSuite
from tests.redis_servers import MASTER, start_watched
from tests.waiting import until

CTX = Context()
DIGEST = Digest.of(b"content")
MEDIA_TYPE = "application/vnd.example.layer"
DESCRIPTOR = Descriptor(DIGEST, 7, MEDIA_TYPE)


def remembers(scoped, digest=DIGEST):
    """Tell whether a descriptor can be set and is found; what is refused meanwhile is asked again."""
    with suppress(Unavailable, BlobUnknown):
        scoped.set_descriptor(CTX, digest, Descriptor(digest, 7, MEDIA_TYPE))
        return scoped.stat(CTX, digest) == Descriptor(digest, 7, MEDIA_TYPE)
    return False


# ── Sentinel ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def watched(start_redis, tmp_path):
    servers = start_watched(start_redis, tmp_path)
    until(lambda: knows_the_replica(servers.sentinel))
    return servers


def knows_the_replica(sentinel, **login):
    with sentinel.client(decode_responses=True, **login) as client:
        replicas = client.execute_command("SENTINEL", "REPLICAS", MASTER)
    return "ok" in str(replicas) and "'master-link-status', 'ok'" in str(replicas)


def behind(sentinel, **options):
    return RedisCacheProvider(addrs=["127.0.0.1:1", sentinel.address], mastername=MASTER, **options)


def test_the_master_that_a_sentinel_knows_has_the_keys_of_registry_2(watched):
    provider = behind(watched.sentinel)
    provider.repository_scoped("a/b").set_descriptor(CTX, DIGEST, DESCRIPTOR)
    with watched.master.client(decode_responses=True) as stored:
        assert sorted(stored.keys()) == [
            f"blobs::{DIGEST}",
            "repository::a/b::blobs",
            f"repository::a/b::blobs::{DIGEST}",
        ]


def test_after_a_failover_the_new_master_is_used(watched):
    scoped = behind(watched.sentinel).repository_scoped("a")
    assert remembers(scoped)
    watched.fail_over()
    until(lambda: remembers(scoped, Digest.of(b"later")))
    with watched.replica.client() as stored:
        assert stored.sismember("repository::a::blobs", Digest.of(b"later"))


@pytest.mark.parametrize("end", [pytest.param("killed", marks=pytest.mark.soak), "stopped"])
def test_a_master_that_is_lost_is_replaced_and_the_other_is_used(watched, end):
    scoped = behind(watched.sentinel).repository_scoped("a")
    assert remembers(scoped)
    with watched.replica.client() as stored:
        until(lambda: stored.sismember("repository::a::blobs", DIGEST))
    if end == "killed":
        watched.master.process.kill()
    else:
        watched.master.signal(signal.SIGSTOP)
    until(watched.failed_over, seconds=120)
    until(lambda: remembers(scoped, Digest.of(b"later")))
    assert scoped.stat(CTX, DIGEST) == DESCRIPTOR


def test_sentinels_have_a_login_of_their_own(start_redis, tmp_path):
    own = ("--requirepass", "server", "--masterauth", "server")
    servers = start_watched(
        start_redis, tmp_path, f"sentinel auth-pass {MASTER} server", "requirepass watcher", arguments=own
    )
    assert remembers(behind(servers.sentinel, password="server", sentinelpassword="watcher").repository_scoped("a"))
    with pytest.raises(Unavailable) as raised:
        behind(servers.sentinel, password="server", sentinelpassword="wrong").stat(CTX, DIGEST)
    assert "No master found" in str(raised.value.__cause__)


def test_a_name_that_no_sentinel_knows_is_told_in_the_log_and_not_at_start_up(watched):
    provider = RedisCacheProvider(addrs=[watched.sentinel.address], mastername="another")
    with pytest.raises(Unavailable) as raised:
        provider.stat(CTX, DIGEST)
    assert "another" in str(raised.value.__cause__)


# ── Cluster ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def provider(cluster):
    return RedisCacheProvider(addrs=[node.address for node in cluster])


class TestRedisCacheProviderOnACluster(CacheProviderSuite):
    @pytest.fixture
    def provider(self, cluster):
        return RedisCacheProvider(addrs=[node.address for node in cluster])

    @pytest.fixture
    def other_provider(self, cluster):
        return RedisCacheProvider(addrs=[node.address for node in reversed(cluster)])


def owner(nodes, key):
    """Return the node that has the key's slot, asking one that is there."""
    for node in nodes:
        with suppress(RedisError), node.client(decode_responses=True) as client:
            slot = client.execute_command("CLUSTER KEYSLOT", key)
            ranges = client.execute_command("CLUSTER SLOTS")
            (port,) = [port for first, last, (_, port, *_), *_ in ranges if first <= slot <= last]
            return next(each for each in nodes if each.port == port)
    raise AssertionError("no node is there")


def digest_elsewhere(nodes, name):
    """Return a digest whose global entry is not on the node that has the repository's keys."""
    home = owner(nodes, f"repository::{{{name}}}::blobs")
    digests = (Digest.of(b"%d" % number) for number in range(1000))
    return next(digest for digest in digests if owner(nodes, f"blobs::{digest}") is not home)


def test_one_node_has_all_keys_of_a_repository(cluster, provider):
    for name in ("a/b", "b", "c"):
        provider.repository_scoped(name).set_descriptor(CTX, DIGEST, DESCRIPTOR)
        members, member = keys_of(name)
        with owner(cluster, members).client(decode_responses=True) as client:
            assert client.smembers(members) == {DIGEST}
            assert client.hgetall(member) == {"digest": DIGEST, "size": "7", "mediatype": MEDIA_TYPE}
    with owner(cluster, f"blobs::{DIGEST}").client(decode_responses=True) as client:
        assert client.hgetall(f"blobs::{DIGEST}") == {"digest": DIGEST, "size": "7", "mediatype": OCTET_STREAM}


def keys_of(name):
    return f"repository::{{{name}}}::blobs", f"repository::{{{name}}}::blobs::{DIGEST}"


def test_a_user_of_a_cluster_needs_no_more_than_the_keys_and_where_they_are(cluster):
    commands = "+multi +exec +hset +hsetnx +hmget +sadd +srem +sismember +del +get +set +cluster|slots +command"
    for node in cluster:
        with node.client() as client:
            rules = ["reset", "on", ">secret", "~blobs::*", "~repository::*", "~link::*", *commands.split()]
            client.execute_command("ACL SETUSER", "registry", *rules)
    addresses = [node.address for node in cluster]
    scoped = RedisCacheProvider(addrs=addresses, username="registry", password="secret").repository_scoped("a")
    assert remembers(scoped)
    scoped.clear(CTX, DIGEST)
    with pytest.raises(BlobUnknown):
        scoped.stat(CTX, DIGEST)


def test_a_delete_that_is_cut_short_has_removed_the_membership(cluster, provider):
    digest = digest_elsewhere(cluster, "a")
    scoped = provider.repository_scoped("a")
    assert remembers(scoped, digest)
    owner(cluster, f"blobs::{digest}").stop()
    with pytest.raises(Unavailable):
        scoped.clear(CTX, digest)
    with pytest.raises(BlobUnknown):
        provider_over(cluster).repository_scoped("a").stat(CTX, digest)


def provider_over(nodes):
    return RedisCacheProvider(addrs=[node.address for node in nodes])


def test_a_node_that_is_lost_is_a_failure_and_one_that_is_back_is_used_again(cluster, provider):
    scoped = provider.repository_scoped("a")
    assert remembers(scoped)
    home = owner(cluster, keys_of("a")[0])
    home.stop()
    with pytest.raises(Unavailable):
        scoped.stat(CTX, DIGEST)
    assert provider.errors == 1
    home.start()
    until(lambda: remembers(scoped))


def test_slots_that_moved_to_another_node_are_followed_without_a_failure(cluster, provider):
    scoped = provider.repository_scoped("a")
    assert remembers(scoped)
    home = owner(cluster, keys_of("a")[0])
    heir = next(node for node in cluster if node is not home)
    with home.client() as old, heir.client(decode_responses=True) as new:
        old.flushall()
        slot, identity = new.execute_command("CLUSTER KEYSLOT", keys_of("a")[0]), new.execute_command("CLUSTER MYID")
        # The new owner first, then all others: one that has not heard of it sends clients back and forth.
        for client in (new, old, *(node.client() for node in cluster if node not in (home, heir))):
            client.execute_command("CLUSTER SETSLOT", slot, "NODE", identity)
    with pytest.raises(BlobUnknown):
        scoped.stat(CTX, DIGEST)
    assert remembers(scoped)
    assert provider.errors == 0
    with heir.client() as new:
        assert new.sismember(keys_of("a")[0], DIGEST)


def test_a_cluster_that_is_not_there_yet_is_used_once_it_is(cluster):
    for node in cluster:
        node.stop()
    provider = provider_over(cluster)
    with pytest.raises(Unavailable):
        provider.stat(CTX, DIGEST)
    for node in cluster:
        node.start()
    until(lambda: remembers(provider.repository_scoped("a")))
