"""Workers and whole servers that are killed while clients push and pull: no event of an acknowledged write is lost.

Four gunicorn workers send to two endpoints, of which one refuses half of what it is sent.
"""

from __future__ import annotations

import http.client
import os
import random
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from registry_wsgi import mediatypes
from tests.notifications.conftest import endpoint, sections
from tests.notifications.receiver import Receiver, receiving
from tests.stack import image_manifest
from tests.waiting import until
from tests.wire import Client, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Serve
    from tests.servers import Server

CLIENTS = 4
Told = tuple[str, str, str, str]
"""The action, repository, digest and tag of an event."""


@dataclass
class Work:
    """What the clients have to do, against whichever server is up, and what of it was acknowledged to each of them."""

    server: Server
    left: int
    acknowledged: list[list[Told]] = field(default_factory=lambda: [[] for _ in range(CLIENTS)])
    pulls: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def done(self) -> int:
        return sum(len(each) for each in self.acknowledged) + self.pulls

    def take(self) -> bool:
        with self.lock:
            self.left -= 1
            return self.left >= 0


class Pusher:
    """A client that does one thing after the other, each until it is acknowledged."""

    def __init__(self, work: Work, number: int, seed: str) -> None:
        self.work = work
        self.acknowledged = work.acknowledged[number]
        self.random = random.Random(f"{seed}-{number}")
        self.name = f"killed/{number}"
        self.blobs: list[str] = []

    def run(self) -> None:
        while self.work.take():
            operation = self.random.choice([self.push_blob, self.push_blob, self.push_manifest, self.mount, self.pull])
            operation()

    def push_blob(self) -> None:
        content = self.random.randbytes(200)
        digest = digest_of(content)
        self.until(201, "POST", f"/v2/{self.name}/blobs/uploads/?digest={digest}", content)
        self.blobs.append(digest)
        self.acknowledged.append(("push", self.name, digest, ""))

    def push_manifest(self) -> None:
        if not self.blobs:
            return self.push_blob()
        payload = image_manifest(self.random.choice(self.blobs), annotations={"n": str(self.random.random())})  # type: ignore[arg-type]
        tag = f"t{self.random.randrange(10)}"
        path = f"/v2/{self.name}/manifests/{tag}"
        self.until(201, "PUT", path, payload, {"Content-Type": mediatypes.OCI_MANIFEST})
        self.acknowledged.append(("push", self.name, digest_of(payload), tag))
        return None

    def mount(self) -> None:
        if not self.blobs:
            return self.push_blob()
        target = f"{self.name}/{self.random.randrange(10**9)}"
        path = f"/v2/{target}/blobs/uploads/?mount={self.blobs[-1]}&from={self.name}"
        self.until(201, "POST", path, b"")
        self.acknowledged.append(("mount", target, self.blobs[-1], ""))
        return None

    def pull(self) -> None:
        if not self.blobs:
            return self.push_blob()
        self.until(200, "GET", f"/v2/{self.name}/blobs/{self.random.choice(self.blobs)}")
        with self.work.lock:
            self.work.pulls += 1
        return None

    def until(self, status: int, *request: Any) -> None:
        while True:
            with suppress(OSError, http.client.HTTPException):
                answer = Client(self.work.server.url).request(*request)
                assert answer.status in (status, 502, 503), answer
                if answer.status == status:
                    return
            time.sleep(0.05)


def told(event: dict[str, Any]) -> Told:
    target = event["target"]
    return event["action"], target["repository"], target.get("digest", ""), target.get("tag", "")


def first_seen(receiver: Receiver) -> list[dict[str, Any]]:
    """Return the events in the order in which each of them was first taken."""
    return list({event["id"]: event for event in receiver.events}.values())


def kill_a_process(server: Server, source: random.Random) -> None:
    """Kill a worker, or now and then the process that delivers."""
    master = psutil.Process(server.process.pid)
    couriers = [each for worker in master.children() for each in worker.children()]
    with suppress(ProcessLookupError, IndexError):
        victims = couriers if couriers and source.random() < 0.25 else master.children()
        os.kill(source.choice(victims).pid, signal.SIGKILL)


def check(work: Work, steady: Receiver, failing: Receiver) -> None:
    """Hold that both endpoints have all events of what was acknowledged, each client's in its order."""
    wanted = {each for client in work.acknowledged for each in client}
    for receiver in (steady, failing):
        until(lambda receiver=receiver: wanted <= {told(event) for event in receiver.events}, seconds=240)  # type: ignore[misc]
        seen = [told(event) for event in first_seen(receiver)]
        for acknowledged in work.acknowledged:
            # A client that got no answer did it again, and only the last time was acknowledged.
            last = {each: position for position, each in enumerate(seen)}
            positions = [last[each] for each in acknowledged]
            assert positions == sorted(positions)
    # One order for all endpoints.
    until(lambda: len(first_seen(steady)) == len(first_seen(failing)), seconds=240)
    assert [event["id"] for event in first_seen(steady)] == [event["id"] for event in first_seen(failing)]


@pytest.fixture
def failing() -> Iterator[Receiver]:
    with receiving() as receiver:
        source = random.Random("failing")
        receiver.answer = lambda post: source.choice([200, 500])
        yield receiver


def rounds(
    serve: Serve,
    tmp_path: Path,
    steady: Receiver,
    failing: Receiver,
    *,
    operations: int,
    process_kills: int,
    server_kills: int,
) -> None:
    source = random.Random(f"{operations}")
    endpoints = [endpoint(steady, "steady"), endpoint(failing, "failing", threshold=3, backoff="20ms")]
    configured = {"log": {"level": "error"}, **sections(tmp_path, *endpoints)}

    def start() -> Server:
        return serve(tmp_path / "data", kind="gthread", arguments=["--workers", "4"], sections=configured)

    work = Work(start(), operations)
    threads = [threading.Thread(target=Pusher(work, number, f"{operations}").run) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    kills = [kill_a_process] * process_kills + [None] * server_kills
    source.shuffle(kills)
    for number, kill in enumerate(kills, 1):
        due = operations * number // (len(kills) + 1)
        until(lambda due=due: work.done >= due, lambda: f"{work.done} done", 300)  # type: ignore[misc]
        time.sleep(source.random() * 0.05)  # so that it is not always just after an answer
        if kill is not None:
            kill(work.server, source)
        else:
            work.server.kill()
            work.server = start()
    for thread in threads:
        thread.join(300)
        assert not thread.is_alive()
    work.server.kill()  # with what is still on its way
    work.server = start()
    check(work, steady, failing)
    seen = len(first_seen(steady))
    refused = sum(not post.taken for post in failing.posts)
    print(f"{work.done} done, {seen} events, {len(steady.events) - seen} of them twice, {refused} refused once")


def test_events_of_acknowledged_writes_survive_killed_workers_and_servers(
    serve: Serve, tmp_path: Path, receiver: Receiver, failing: Receiver
) -> None:
    rounds(serve, tmp_path, receiver, failing, operations=120, process_kills=4, server_kills=1)


@pytest.mark.soak
def test_events_of_two_thousand_operations_survive(
    serve: Serve, tmp_path: Path, receiver: Receiver, failing: Receiver
) -> None:
    rounds(serve, tmp_path, receiver, failing, operations=2000, process_kills=30, server_kills=6)
