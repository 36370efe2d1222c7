"""A real redis-server on loopback, and registries that use it."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from redis import Redis

from tests import servers
from tests.components import require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY_SECONDS = 20.0


@dataclass
class RedisServer:
    """A redis-server on one port, that can be ended and started again; nothing of it is kept on disk."""

    directory: Path
    port: int = field(default_factory=servers.free_port)
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def client(self, **options: Any) -> Redis:
        return Redis(host="127.0.0.1", port=self.port, protocol=2, **options)

    def start(self) -> None:
        program = require("redis-server")
        with (self.directory / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(program, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory)),
                    *("--save", "", "--appendonly", "no", *self.arguments),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self._listens():
            output = (self.directory / "redis.log").read_text()
            assert self.process.poll() is None, output
            assert time.monotonic() < deadline, output
            time.sleep(0.02)

    def _listens(self) -> bool:
        port = self.port
        if "--tls-port" in self.arguments:
            port = int(self.arguments[self.arguments.index("--tls-port") + 1])
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()


class StartRedis(Protocol):
    def __call__(self, *arguments: str) -> RedisServer: ...


@pytest.fixture
def start_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartRedis]:
    """Start servers of one's own, with more arguments, which end with the test."""
    with ExitStack() as stack:

        def start(*arguments: str) -> RedisServer:
            server = RedisServer(tmp_path_factory.mktemp("redis"), arguments=arguments)
            stack.callback(server.stop)
            server.start()
            return server

        yield start


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis(shared_redis: RedisServer) -> RedisServer:
    """A server that many tests share, empty."""
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis
