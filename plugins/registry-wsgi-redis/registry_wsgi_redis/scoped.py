"""What one repository knows of digests, beside what is known of them anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.cache.checks import check_entry
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import BlobUnknown
from registry_wsgi_redis.entries import FIELDS, described, fill, text, values
from registry_wsgi_redis.keys import MEDIA_TYPE
from registry_wsgi_redis.transactions import Step

if TYPE_CHECKING:
    from redis.client import Pipeline

    from registry_wsgi.context import Context
    from registry_wsgi_redis.provider import RedisCacheProvider


class RepositoryScopedCache:
    """What one repository knows: never a digest that was not set through it, whatever the global scope knows."""

    def __init__(self, provider: RedisCacheProvider, name: str) -> None:
        self._provider = provider
        self._keys = provider.keys
        self._name = name
        self._members = provider.keys.members(name)

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        Digest.parse(digest)
        return self._provider.counted(lambda: self._stat(ctx, digest))

    def _stat(self, ctx: Context, digest: Digest) -> Descriptor:
        """What the repository was told counts. Where another registry told it, the rest is in the global entry."""
        key = self._keys.member(self._name, digest)

        def queue(pipe: Pipeline) -> None:
            pipe.sismember(self._members, digest)
            pipe.hmget(key, FIELDS)

        member, own = self._provider.run(ctx, Step(key, queue))
        media_type = text(own[FIELDS.index(MEDIA_TYPE)])
        if not member or not media_type:  # a full server may have dropped one of the two
            raise BlobUnknown(digest)
        try:
            return described(digest, own)
        except BlobUnknown:
            found = self._provider.everyones(ctx, digest)
            return Descriptor(found.digest, found.size, media_type)

    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        """Overwrite the repository's entry, and fill the global scope with what is the same everywhere.

        The canonical digest is filled in globally only: the repository may have a link to the other alone.
        """
        check_entry(digest, descriptor)
        key = self._keys.member(self._name, digest)

        def queue(pipe: Pipeline) -> None:
            pipe.hset(key, mapping=values(descriptor))
            pipe.sadd(self._members, digest)

        filled = fill(self._keys, digest, Descriptor(descriptor.digest, descriptor.size))
        self._provider.run(ctx, *filled, Step(key, queue))

    def clear(self, ctx: Context, digest: Digest) -> None:
        """Remove the membership, the repository's entry and then the global one (CVE-2026-35172).

        On one server that is one step. In a Cluster what fails half-way leaves a global entry, which grants nothing.
        """
        Digest.parse(digest)
        # What another repository has is not this one's to forget. That it may become a member between the
        # two steps does no harm: a cache may always forget.
        (member,) = self._provider.run(ctx, Step(self._members, lambda pipe: pipe.sismember(self._members, digest)))
        if not member:
            raise BlobUnknown(digest)
        key, everyones = self._keys.member(self._name, digest), self._keys.blob(digest)

        def queue(pipe: Pipeline) -> None:
            pipe.srem(self._members, digest)
            pipe.delete(key)

        self._provider.run(ctx, Step(key, queue), Step(everyones, lambda pipe: pipe.delete(everyones)))
