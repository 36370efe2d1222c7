"""The provider against a real redis-server: the suite, the keys, and what one call costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis.client import Pipeline
from registry_wsgi_redis import RedisCacheProvider

from registry_wsgi.context import Context
from registry_wsgi.descriptor import OCTET_STREAM, Descriptor, Digest
from registry_wsgi.errors import BlobUnknown
from registry_wsgi.testing.caches import CacheProviderSuite

if TYPE_CHECKING:
    from collections.abc import Iterator

CTX = Context()
DIGEST = Digest.of(b"content")
ALIAS = Digest.of(b"content", "sha512")
MEDIA_TYPE = "application/vnd.example.layer"
DESCRIPTOR = Descriptor(DIGEST, 7, MEDIA_TYPE)


@pytest.fixture
def provider(redis):
    return RedisCacheProvider(addr=redis.address)


@pytest.fixture
def stored(redis) -> Iterator[Any]:
    with redis.client(decode_responses=True) as client:
        yield client


class TestRedisCacheProvider(CacheProviderSuite):
    @pytest.fixture
    def provider(self, redis):
        return RedisCacheProvider(addr=redis.address)

    @pytest.fixture
    def other_provider(self, redis):
        return RedisCacheProvider(addr=redis.address)


class TestRedisCacheProviderOnValkey(CacheProviderSuite):
    @pytest.fixture
    def provider(self, valkey):
        return RedisCacheProvider(addr=valkey.address)

    @pytest.fixture
    def other_provider(self, valkey):
        return RedisCacheProvider(addr=valkey.address)


def test_two_processes_would_share_what_one_remembers(redis):
    first, second = (RedisCacheProvider(addr=redis.address).repository_scoped("a/b") for _ in range(2))
    first.set_descriptor(CTX, DIGEST, DESCRIPTOR)
    assert second.stat(CTX, DIGEST) == DESCRIPTOR
    second.clear(CTX, DIGEST)
    with pytest.raises(BlobUnknown):
        first.stat(CTX, DIGEST)


# ── what stands in Redis ──────────────────────────────────────────────────────────────────────


def test_the_keys_are_those_of_registry_2(provider, stored):
    provider.repository_scoped("a/b").set_descriptor(CTX, DIGEST, DESCRIPTOR)
    assert sorted(stored.keys()) == [f"blobs::{DIGEST}", "repository::a/b::blobs", f"repository::a/b::blobs::{DIGEST}"]
    assert stored.hgetall(f"blobs::{DIGEST}") == {"digest": DIGEST, "size": "7", "mediatype": OCTET_STREAM}
    assert stored.smembers("repository::a/b::blobs") == {DIGEST}
    assert stored.hgetall(f"repository::a/b::blobs::{DIGEST}") == {
        "mediatype": MEDIA_TYPE,
        "digest": DIGEST,
        "size": "7",
    }


def test_a_digest_of_another_algorithm_is_a_member_and_the_canonical_one_is_not(provider, stored):
    provider.repository_scoped("a").set_descriptor(CTX, ALIAS, DESCRIPTOR)
    assert stored.smembers("repository::a::blobs") == {ALIAS}
    assert stored.hget(f"blobs::{ALIAS}", "digest") == stored.hget(f"blobs::{DIGEST}", "digest") == DIGEST


def test_nothing_of_a_cleared_digest_is_left(provider, stored):
    scoped = provider.repository_scoped("a/b")
    scoped.set_descriptor(CTX, DIGEST, DESCRIPTOR)
    scoped.clear(CTX, DIGEST)
    assert stored.keys() == []


def set_as_registry_2_does(stored):
    stored.sadd("repository::a::blobs", DIGEST)
    stored.hset(f"blobs::{DIGEST}", mapping={"digest": DIGEST, "size": 7, "mediatype": OCTET_STREAM})
    stored.hset(f"repository::a::blobs::{DIGEST}", "mediatype", MEDIA_TYPE)


def test_what_was_set_by_registry_2_is_found(provider, stored):
    set_as_registry_2_does(stored)
    assert provider.repository_scoped("a").stat(CTX, DIGEST) == DESCRIPTOR
    assert (provider.requests, provider.hits) == (1, 1)


GLOBAL, OWN = f"blobs::{DIGEST}", f"repository::a::blobs::{DIGEST}"
DAMAGES = {
    "no size": lambda stored, key: stored.hdel(key, "size"),
    "no digest": lambda stored, key: stored.hdel(key, "digest"),
    "a negative size": lambda stored, key: stored.hset(key, "size", "-1"),
    "a size that is no number": lambda stored, key: stored.hset(key, "size", "7 MB"),
    "bytes as a digest": lambda stored, key: stored.hset(key, "digest", b"\xff"),
    "another's digest": lambda stored, key: stored.hset(key, "digest", Digest.of(b"other")),
}
damages = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
losses = pytest.mark.parametrize("key", ["repository::a::blobs", OWN, GLOBAL])


def is_unknown_and_mended_by_the_next(provider):
    scoped = provider.repository_scoped("a")
    with pytest.raises(BlobUnknown):
        scoped.stat(CTX, DIGEST)
    scoped.set_descriptor(CTX, DIGEST, DESCRIPTOR)
    return scoped.stat(CTX, DIGEST) == DESCRIPTOR and provider.stat(CTX, DIGEST).size == 7


@damages
def test_an_entry_of_registry_2_that_lacks_something_is_none_and_is_mended_by_the_next(provider, stored, damage):
    set_as_registry_2_does(stored)
    damage(stored, GLOBAL)
    assert is_unknown_and_mended_by_the_next(provider)


@losses
def test_an_entry_of_registry_2_of_which_a_key_is_gone_is_none_and_is_mended_by_the_next(provider, stored, key):
    set_as_registry_2_does(stored)
    stored.delete(key)
    assert is_unknown_and_mended_by_the_next(provider)


@damages
def test_a_damaged_entry_of_the_repository_gives_way_to_the_global_one(provider, stored, damage):
    scoped = provider.repository_scoped("a")
    scoped.set_descriptor(CTX, DIGEST, DESCRIPTOR)
    damage(stored, OWN)
    assert scoped.stat(CTX, DIGEST) == DESCRIPTOR
    damage(stored, GLOBAL)
    assert is_unknown_and_mended_by_the_next(provider)


# ── what it costs ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def round_trips(monkeypatch) -> list[list[str]]:
    """The names of the commands of each round trip."""
    seen: list[list[str]] = []
    execute = Pipeline.execute

    def counted(pipe, *arguments):
        assert pipe.explicit_transaction or pipe.transaction
        seen.append([command[0][0] for command in pipe.command_stack])
        return execute(pipe, *arguments)

    monkeypatch.setattr(Pipeline, "execute", counted)
    return seen


def test_a_call_is_one_transaction_and_one_round_trip(provider, round_trips):
    scoped = provider.repository_scoped("a/b")
    scoped.set_descriptor(CTX, DIGEST, DESCRIPTOR)
    scoped.stat(CTX, DIGEST)
    provider.stat(CTX, DIGEST)
    assert round_trips == [
        ["HSET", "HSETNX", "HSET", "SADD"],
        ["SISMEMBER", "HMGET"],
        ["HMGET"],
    ]


def test_membership_and_entries_are_cleared_in_one_transaction(provider, round_trips):
    scoped = provider.repository_scoped("a/b")
    scoped.set_descriptor(CTX, DIGEST, DESCRIPTOR)
    round_trips.clear()
    scoped.clear(CTX, DIGEST)
    assert round_trips == [["SISMEMBER"], ["SREM", "DEL", "DEL"]]
    round_trips.clear()
    with pytest.raises(BlobUnknown):
        scoped.clear(CTX, DIGEST)
    assert round_trips == [["SISMEMBER"]]
