"""The cache provider `redis`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from registry_wsgi.cache.checks import check_entry
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import BlobUnknown, Unavailable
from registry_wsgi.reference import check_name
from registry_wsgi_redis.connection import connect
from registry_wsgi_redis.entries import FIELDS, described, fill
from registry_wsgi_redis.links import Links
from registry_wsgi_redis.outage import Outage
from registry_wsgi_redis.scoped import RepositoryScopedCache
from registry_wsgi_redis.transactions import FAILURES, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from registry_wsgi.context import Context


class RedisCacheProvider:
    """Descriptors in Redis or Valkey, shared by all processes, hosts, and other registries.

    The parameters are those of the `redis` section of registry:2 and registry:3; times are seconds, zero is
    the default. `addrs` are Sentinels with a `mastername`, and without one several of them a Cluster. Nothing expires:
    the server's own `maxmemory-policy` bounds it. A repository's media type
    never reaches the global scope, and the extra members of a descriptor are not kept.

    `requests` counts the calls of `stat`, `hits` those that found something, and `errors` the calls of any method that
    got no answer, those that were not asked during a rest included.

    Methods raise DigestInvalid for what is no digest, ValueError for a descriptor that cannot be one, and
    Unavailable while Redis does not answer, which is logged here, at most once a minute.
    """

    def __init__(
        self,
        *,
        addr: str = "",
        addrs: Sequence[str] = (),
        mastername: str = "",
        username: str = "",
        password: str = "",
        sentinelusername: str = "",
        sentinelpassword: str = "",
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
        self._transactions = connect(
            [addr] if addr else addrs,
            mastername=mastername,
            username=username,
            password=password,
            sentinelusername=sentinelusername,
            sentinelpassword=sentinelpassword,
            db=db,
            clientname=clientname,
            dial_seconds=dialtimeout,
            read_seconds=max(readtimeout, writetimeout),  # redis-py has one for both
            pool_size=(pool or {}).get("maxactive") or maxactiveconns or poolsize,
            pool_seconds=pooltimeout,
            tls=tls or {},
        )
        self.keys = self._transactions.keys
        self.requests = self.hits = self.errors = 0
        self._outage = Outage()
        self._links = Links(self.keys, self.run)
        self._lock = threading.Lock()

    def repository_scoped(self, name: str) -> RepositoryScopedCache:
        return RepositoryScopedCache(self, check_name(name))

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        Digest.parse(digest)
        return self.counted(lambda: self.everyones(ctx, digest))

    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        check_entry(digest, descriptor)
        self.run(ctx, *fill(self.keys, digest, descriptor))

    def clear(self, ctx: Context, digest: Digest) -> None:
        Digest.parse(digest)
        key = self.keys.blob(digest)
        (removed,) = self.run(ctx, Step(key, lambda pipe: pipe.delete(key)))
        if not removed:
            raise BlobUnknown(digest)

    def testify(self, ctx: Context, link: str, seconds: float) -> None:
        self._links.testify(ctx, link, seconds)

    def testified(self, ctx: Context, link: str) -> bool:
        return self._links.testified(ctx, link)

    def withdraw(self, ctx: Context, link: str, seconds: float) -> None:
        self._links.withdraw(ctx, link, seconds)

    def everyones(self, ctx: Context, digest: Digest) -> Descriptor:
        """Return what the global entry says. Raises BlobUnknown, Unavailable."""
        key = self.keys.blob(digest)
        (stored,) = self.run(ctx, Step(key, lambda pipe: pipe.hmget(key, FIELDS)))
        return described(digest, stored)

    def counted(self, look_up: Callable[[], Descriptor]) -> Descriptor:
        with self._lock:
            self.requests += 1
        found = look_up()
        with self._lock:
            self.hits += 1
        return found

    def run(self, ctx: Context, *steps: Step, urgent: bool = False) -> list[Any]:
        """Return the answers to the commands of the steps, in order. Raises Unavailable.

        What is `urgent` is tried during a rest, too.
        """
        try:
            if not urgent:
                self._outage.check()
            answers = self._transactions.run(*steps)
        except Unavailable:
            self._failed()
            raise
        except FAILURES as error:
            self._failed()
            self._outage.failed(ctx, error)
            raise Unavailable("the Redis cache failed") from error
        self._outage.over(ctx)
        return answers

    def _failed(self) -> None:
        with self._lock:
            self.errors += 1
