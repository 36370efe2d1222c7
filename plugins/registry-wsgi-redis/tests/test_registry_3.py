"""What registry:2 and registry:3 read, write and delete in Redis, by the commands in their sources, beside ours.

The facts are those of registry/storage/cache/redis/redis.go in distribution v2.8.2, v3.0.0 and v3.1.1, which differ in
one thing: only from 3.1 on does a delete take the membership away (CVE-2026-35172). Of these test_registry.py starts
2.8.2 itself. Behind Sentinels they are the same, to the server that these name.
"""

from __future__ import annotations

import pytest
from registry_wsgi_redis import RedisCacheProvider

from registry_wsgi.context import Context
from registry_wsgi.descriptor import OCTET_STREAM, Descriptor, Digest
from registry_wsgi.errors import BlobUnknown

CTX = Context()
NAME = "library/busy-box"
DIGEST = Digest.of(b"content")
ALIAS = Digest.of(b"content", "sha512")
MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
RELEASES = ("2.8.2", "3.0.0", "3.1.1")


class Theirs:
    """The cache of one repository, as a release of distribution has it."""

    def __init__(self, client, release, name=NAME):
        self.client = client
        self.leaves_members = release != "3.1.1"
        self.members, self.own = f"repository::{name}::blobs", f"repository::{name}::blobs::"

    def set(self, digest, canonical=DIGEST, size=7, media_type=MEDIA_TYPE):
        self.client.sadd(self.members, digest)
        self.client.execute_command("HMSET", f"blobs::{digest}", "digest", canonical, "size", size)
        self.client.hsetnx(f"blobs::{digest}", "mediatype", media_type)
        self.client.hset(self.own + digest, "mediatype", media_type)
        if digest != canonical:
            self.set(canonical, canonical, size, media_type)

    def get(self, digest):
        """Return digest, size and media type as it makes them; None where it asks storage."""
        if not self.client.sismember(self.members, digest):
            return None
        canonical, size, media_type = self.client.hmget(f"blobs::{digest}", "digest", "size", "mediatype")
        own = self.client.hget(self.own + digest, "mediatype")
        if canonical is None or size is None or own is None:
            return None
        return canonical, int(size), own or media_type

    def clear(self, digest):
        assert self.client.sismember(self.members, digest)
        if not self.leaves_members:
            self.client.srem(self.members, digest)
            self.client.delete(self.own + digest)
        self.client.hdel(f"blobs::{digest}", "digest", "size", "mediatype")


@pytest.fixture(params=RELEASES)
def theirs(request, redis):
    with redis.client(decode_responses=True) as client:
        yield Theirs(client, request.param)


@pytest.fixture
def provider(redis):
    return RedisCacheProvider(addr=redis.address)


@pytest.fixture
def ours(provider):
    return provider.repository_scoped(NAME)


def knows(service, digest):
    try:
        return service.stat(CTX, digest)
    except BlobUnknown:
        return None


@pytest.mark.parametrize("digest", [DIGEST, ALIAS], ids=["sha256", "sha512"])
@pytest.mark.parametrize("size", [0, 7, 2**53 + 1])
def test_what_they_set_ours_finds(theirs, ours, provider, digest, size):
    theirs.set(digest, size=size)
    for each in (digest, DIGEST):
        assert knows(ours, each) == Descriptor(DIGEST, size, MEDIA_TYPE)
        assert knows(provider, each) == Descriptor(DIGEST, size, MEDIA_TYPE)


@pytest.mark.parametrize("digest", [DIGEST, ALIAS], ids=["sha256", "sha512"])
@pytest.mark.parametrize("size", [0, 7, 2**53 + 1])
def test_what_ours_set_they_find(theirs, ours, digest, size):
    ours.set_descriptor(CTX, digest, Descriptor(DIGEST, size, MEDIA_TYPE))
    assert theirs.get(digest) == (DIGEST, size, MEDIA_TYPE)


def test_what_either_set_over_the_other_both_find(theirs, ours):
    for _ in range(2):
        theirs.set(DIGEST, media_type=OCTET_STREAM)
        assert theirs.get(DIGEST) == (DIGEST, 7, OCTET_STREAM)
        assert knows(ours, DIGEST) == Descriptor(DIGEST, 7, OCTET_STREAM)
        ours.set_descriptor(CTX, DIGEST, Descriptor(DIGEST, 7, MEDIA_TYPE))
        assert theirs.get(DIGEST) == (DIGEST, 7, MEDIA_TYPE)
        assert knows(ours, DIGEST) == Descriptor(DIGEST, 7, MEDIA_TYPE)


def test_what_ours_cleared_they_do_not_find_whatever_another_repository_sets(theirs, ours):
    theirs.set(DIGEST)
    ours.clear(CTX, DIGEST)
    assert theirs.get(DIGEST) is None
    Theirs(theirs.client, "3.0.0", "another").set(DIGEST)
    assert theirs.get(DIGEST) is None
    assert knows(ours, DIGEST) is None


def test_what_they_set_and_cleared_ours_does_not_find(theirs, ours, provider):
    theirs.set(DIGEST)
    theirs.clear(DIGEST)
    assert knows(ours, DIGEST) is None
    assert knows(provider, DIGEST) is None


def test_what_ours_set_and_they_cleared_is_a_hit_only_where_they_leave_the_membership(theirs, ours):
    """Such a hit is believed only while storage has the link, which they deleted."""
    ours.set_descriptor(CTX, DIGEST, Descriptor(DIGEST, 7, MEDIA_TYPE))
    theirs.clear(DIGEST)
    assert (knows(ours, DIGEST) is not None) == theirs.leaves_members
    assert theirs.get(DIGEST) is None


def test_they_take_no_notice_of_what_is_said_of_links(theirs, ours, provider):
    provider.testify(CTX, f"/docker/registry/v2/repositories/{NAME}/_layers/sha256/00/link", 60.0)
    theirs.set(DIGEST)
    assert theirs.get(DIGEST) == (DIGEST, 7, MEDIA_TYPE)
    theirs.clear(DIGEST)
    assert theirs.get(DIGEST) is None
