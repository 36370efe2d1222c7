"""Commands as transactions: of one server all at once, of a Cluster one after the other, on the node of each key."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from redis.exceptions import (
    ClusterDownError,
    MovedError,
    RedisClusterException,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from registry_wsgi_redis.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis
    from redis.client import Pipeline
    from redis.cluster import ClusterNode, RedisCluster

UNREACHABLE: Final = (RedisConnectionError, RedisTimeoutError, ClusterDownError, RedisClusterException)
"""The errors that say that there is nobody to ask. The last one is no RedisError to redis-py."""

FAILURES: Final = (RedisError, RedisClusterException)
"""All that redis-py raises."""


class Step(NamedTuple):
    """Commands that belong together: all their keys are on the node of `key`."""

    key: str
    queue: Callable[[Pipeline], object]


class Transactions(Protocol):
    keys: Keys

    def run(self, *steps: Step) -> list[Any]:
        """Return the answers to the commands of all steps, in order. Raises FAILURES."""


class OneServer:
    """All steps are one transaction and one round trip: one server has all keys, found by Sentinel or not."""

    keys = Keys()

    def __init__(self, client: Redis) -> None:
        self._client = client

    def run(self, *steps: Step) -> list[Any]:
        return _transaction(self._client, *steps)


class Cluster:
    """Each step is a transaction of its own, and what comes after a step that failed is not done.

    `connect` returns a client, and asks the Cluster which node has which slots. It is called when the Cluster is first
    used, and again after the slots have moved or a node could not be reached.
    """

    keys = Keys(tagged=True)

    def __init__(self, connect: Callable[[], RedisCluster]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._client: RedisCluster | None = None

    def run(self, *steps: Step) -> list[Any]:
        try:
            return self._run(steps)
        except MovedError:
            return self._run(steps)

    def _run(self, steps: tuple[Step, ...]) -> list[Any]:
        client = self._connected()
        try:
            return [answer for step in steps for answer in _transaction(_node(client, step.key), step)]
        except (MovedError, *UNREACHABLE):
            self._drop(client)
            raise

    def _connected(self) -> RedisCluster:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _drop(self, client: RedisCluster) -> None:
        """Let go of the client, unless another thread did. Others may still use it, so that it is not closed here."""
        with self._lock:
            if self._client is client:
                self._client = None


class Limited:
    """Other transactions, of which at most `most` run at once; the next waits `seconds` for one of them to end."""

    def __init__(self, transactions: Transactions, most: int, seconds: float) -> None:
        self.keys = transactions.keys
        self._transactions = transactions
        self._free = threading.BoundedSemaphore(most)
        self._seconds = seconds

    def run(self, *steps: Step) -> list[Any]:
        if not self._free.acquire(timeout=self._seconds):
            raise RedisTimeoutError(f"no connection came free in {self._seconds:g} s")
        try:
            return self._transactions.run(*steps)
        finally:
            self._free.release()


def _node(client: RedisCluster, key: str) -> Redis:
    find: Callable[[str], ClusterNode] = client.get_node_from_key  # redis-py leaves it without types
    return client.get_redis_connection(find(key))


def _transaction(client: Redis, *steps: Step) -> list[Any]:
    with client.pipeline(transaction=True) as pipe:
        for step in steps:
            step.queue(pipe)
        answers: list[Any] = pipe.execute()
    return answers
