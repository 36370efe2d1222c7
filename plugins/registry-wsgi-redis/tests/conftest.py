"""Servers that the tests share, and servers of their own."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.redis_servers import RedisServer, StartRedis, redis_program, settle, start_cluster, valkey_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def start_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartRedis]:
    """Start servers of one's own, with more arguments, which end with the test."""
    with ExitStack() as stack:
        yield _starter(tmp_path_factory, stack)


@pytest.fixture(scope="session")
def nodes_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RedisServer]]:
    with ExitStack() as stack:
        yield start_cluster(_starter(tmp_path_factory, stack))


def _starter(factory: pytest.TempPathFactory, stack: ExitStack) -> StartRedis:
    def start(*arguments: str, program: Callable[[], str] = redis_program) -> RedisServer:
        server = RedisServer(factory.mktemp("redis"), arguments=arguments, program=program)
        stack.callback(server.stop)
        server.start()
        return server

    return start


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    yield from _started(tmp_path_factory.mktemp("redis"), redis_program)


@pytest.fixture(scope="session")
def shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    yield from _started(tmp_path_factory.mktemp("valkey"), valkey_program)


def _started(directory: Path, program: Callable[[], str]) -> Iterator[RedisServer]:
    server = RedisServer(directory, program=program)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis(shared_redis: RedisServer) -> RedisServer:
    """A server that many tests share, empty."""
    return _emptied(shared_redis)


@pytest.fixture
def valkey(shared_valkey: RedisServer) -> RedisServer:
    return _emptied(shared_valkey)


@pytest.fixture
def cluster(nodes_of_all: list[RedisServer]) -> list[RedisServer]:
    """The nodes of a Cluster that many tests share, all there and empty."""
    settle(nodes_of_all)
    return [_emptied(node) for node in nodes_of_all]


def _emptied(server: RedisServer) -> RedisServer:
    with server.client() as client:
        client.flushall()
    return server
