"""The cache provider `redis`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from registry_wsgi.cache.checks import check_entry
from registry_wsgi.descriptor import OCTET_STREAM, Descriptor, Digest
from registry_wsgi.errors import BlobUnknown, DigestInvalid, Unavailable
from registry_wsgi.reference import check_name
from registry_wsgi_redis import keys
from registry_wsgi_redis.connection import connect
from registry_wsgi_redis.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from redis.client import Pipeline

    from registry_wsgi.context import Context


class RedisCacheProvider:
    """Descriptors in one Redis or Valkey server, shared by all processes, hosts, and other registries.

    The parameters are those of the `redis` section of registry:2 and registry:3; times are seconds, zero is
    the default. Nothing expires: the server's own `maxmemory-policy` bounds it. A repository's media type
    never reaches the global scope, and the extra members of a descriptor are not kept.

    Methods raise DigestInvalid for what is no digest, ValueError for a descriptor that cannot be one, and
    Unavailable while Redis does not answer, which is logged here, at most once a minute.
    """

    def __init__(
        self,
        *,
        addr: str = "",
        addrs: Sequence[str] = (),
        username: str = "",
        password: str = "",
        db: int = 0,
        clientname: str = "",
        dialtimeout: float = 0.0,
        readtimeout: float = 0.0,
        writetimeout: float = 0.0,
        pool: Mapping[str, Any] | None = None,
        poolsize: int = 0,
        pooltimeout: float = 0.0,
        maxactiveconns: int = 0,
        tls: Mapping[str, Any] | None = None,
    ) -> None:
        self._client = connect(
            [addr] if addr else addrs,
            username=username,
            password=password,
            db=db,
            clientname=clientname,
            dial_seconds=dialtimeout,
            read_seconds=max(readtimeout, writetimeout),  # redis-py has one for both
            pool_size=(pool or {}).get("maxactive") or maxactiveconns or poolsize,
            pool_seconds=pooltimeout,
            tls=tls or {},
        )
        self._outage = Outage()

    def repository_scoped(self, name: str) -> RepositoryScopedCache:
        return RepositoryScopedCache(self, check_name(name))

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        Digest.parse(digest)
        (known,) = self.run(ctx, lambda pipe: pipe.hmget(keys.blob(digest), _FIELDS))
        return described(digest, known)

    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        check_entry(digest, descriptor)
        self.run(ctx, lambda pipe: fill(pipe, digest, descriptor))

    def clear(self, ctx: Context, digest: Digest) -> None:
        Digest.parse(digest)
        (removed,) = self.run(ctx, lambda pipe: pipe.delete(keys.blob(digest)))
        if not removed:
            raise BlobUnknown(digest)

    def run(self, ctx: Context, queue: Callable[[Pipeline], object]) -> list[Any]:
        """Return the answers to the queued commands: one transaction, one round trip. Raises Unavailable."""
        self._outage.check()
        try:
            with self._client.pipeline(transaction=True) as pipe:
                queue(pipe)
                answers: list[Any] = pipe.execute()
        except RedisError as error:
            self._outage.failed(ctx, error)
            raise Unavailable("the Redis cache failed") from error
        self._outage.over(ctx)
        return answers


class RepositoryScopedCache:
    """What one repository knows: never a digest that was not set through it, whatever the global scope knows."""

    def __init__(self, provider: RedisCacheProvider, name: str) -> None:
        self._provider = provider
        self._name = name

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        Digest.parse(digest)

        def queue(pipe: Pipeline) -> None:
            pipe.sismember(keys.members(self._name), digest)
            pipe.hmget(keys.blob(digest), _FIELDS)
            pipe.hget(keys.member(self._name, digest), keys.MEDIA_TYPE)

        member, known, media_type = self._provider.run(ctx, queue)
        if not member or not media_type:  # a full server may have dropped any one of the three
            raise BlobUnknown(digest)
        found = described(digest, known)
        return Descriptor(found.digest, found.size, _text(media_type))

    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        """Overwrite the repository's entry, and fill the global scope with what is the same everywhere.

        The canonical digest is filled in globally only: the repository may have a link to the other alone.
        """
        check_entry(digest, descriptor)

        def queue(pipe: Pipeline) -> None:
            fill(pipe, digest, Descriptor(descriptor.digest, descriptor.size))
            pipe.hset(keys.member(self._name, digest), keys.MEDIA_TYPE, descriptor.media_type)
            pipe.sadd(keys.members(self._name), digest)

        self._provider.run(ctx, queue)

    def clear(self, ctx: Context, digest: Digest) -> None:
        """Remove the membership, the repository's entry and the global one in one step (CVE-2026-35172)."""
        Digest.parse(digest)
        # What another repository has is not this one's to forget. That it may become a member between the
        # two steps does no harm: a cache may always forget.
        (member,) = self._provider.run(ctx, lambda pipe: pipe.sismember(keys.members(self._name), digest))
        if not member:
            raise BlobUnknown(digest)

        def queue(pipe: Pipeline) -> None:
            pipe.srem(keys.members(self._name), digest)
            pipe.delete(keys.member(self._name, digest), keys.blob(digest))

        self._provider.run(ctx, queue)


_FIELDS = [keys.DIGEST, keys.SIZE, keys.MEDIA_TYPE]


def fill(pipe: Pipeline, digest: Digest, descriptor: Descriptor) -> None:
    """Queue the global entries of the digest and of the canonical one; the first media type stays.

    Digest and size are the content's own and cannot differ: writing them again mends what was damaged.
    """
    for key in dict.fromkeys((digest, descriptor.digest)):
        pipe.hset(keys.blob(key), mapping={keys.DIGEST: descriptor.digest, keys.SIZE: descriptor.size})
        pipe.hsetnx(keys.blob(key), keys.MEDIA_TYPE, descriptor.media_type)


def described(digest: Digest, values: Sequence[bytes | None]) -> Descriptor:
    """Return what the global entry says. One that lacks something, or says what cannot be, is as good as none.

    registry 2.0 named the size `length`, and registry:2's own delete leaves it behind. Raises BlobUnknown.
    """
    canonical, size, media_type = map(_text, values)
    try:
        descriptor = Descriptor(Digest.parse(canonical), int(size), media_type or OCTET_STREAM)
        check_entry(digest, descriptor)
    except (DigestInvalid, ValueError) as error:
        raise BlobUnknown(digest) from error
    return descriptor


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode("utf-8", "replace")
