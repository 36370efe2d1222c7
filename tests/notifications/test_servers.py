"""Who delivers: one process of a host, under every server, and another when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from registry_wsgi.notifications.sqlite import SQLiteOutbox
from tests.notifications.conftest import endpoint, sections
from tests.notifications.test_delivery import parcel
from tests.waiting import until
from tests.wire import Client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.notifications.receiver import Receiver
    from tests.servers import Server

SERVERS = {
    "granian": ("granian", ()),
    "granian with two workers": ("granian", ("--workers", "2")),
    "gunicorn": ("gthread", ("--workers", "2")),
    "gunicorn with preload": ("gthread", ("--workers", "2", "--preload")),
    "waitress": ("waitress", ()),
}


def couriers(server: Server) -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process(server.process.pid).children(recursive=True)
        if process.status() != psutil.STATUS_ZOMBIE and "registry_wsgi.wiring.courier" in process.cmdline()
    ]


@pytest.mark.parametrize("name", SERVERS)
def test_events_are_delivered_by_one_process(serve: Serve, receiver: Receiver, tmp_path: Path, name: str) -> None:
    kind, arguments = SERVERS[name]
    server = serve(kind=kind, arguments=arguments, sections=sections(tmp_path, endpoint(receiver)))
    client = Client(server.url)
    contents = [f"{number}".encode() for number in range(6)]
    digests = [client.push_blob("a", content) for content in contents]
    for digest in digests:
        client.blob("a", digest)
    receiver.wait(12)
    pushed = [target["digest"] for action, target in receiver.targets if action == "push"]
    assert pushed == digests
    assert sorted(target["digest"] for action, target in receiver.targets if action == "pull") == sorted(digests)
    assert len(couriers(server)) == 1
    server.stop()
    assert len(receiver.posts) == 12


def test_another_process_takes_over_when_the_one_that_delivers_is_killed(
    serve: Serve, receiver: Receiver, tmp_path: Path
) -> None:
    server = serve(sections=sections(tmp_path, endpoint(receiver)))
    client = Client(server.url)
    client.push_blob("a", b"before")
    receiver.wait(1)
    (courier,) = couriers(server)
    courier.kill()
    client.push_blob("a", b"after")
    receiver.wait(2)
    assert couriers(server) != [courier]


def test_another_worker_takes_over_when_the_one_that_has_the_claim_is_killed(
    serve: Serve, receiver: Receiver, tmp_path: Path
) -> None:
    server = serve(kind="gthread", arguments=["--workers", "2"], sections=sections(tmp_path, endpoint(receiver)))
    client = Client(server.url)
    client.push_blob("a", b"before")
    receiver.wait(1)
    (courier,) = couriers(server)
    os.kill(courier.ppid(), signal.SIGKILL)
    until(lambda: not courier.is_running() or courier.status() == psutil.STATUS_ZOMBIE)
    client.push_blob("a", b"after")
    receiver.wait(2)


def test_a_registry_that_is_started_again_delivers_what_waited(
    serve: Serve, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.answer = lambda post: 503
    configured = sections(tmp_path, endpoint(receiver))
    server = serve(tmp_path / "data", sections=configured)
    client = Client(server.url)
    digest = client.push_blob("a", b"content")
    client.blob("a", digest)
    until(lambda: bool(receiver.posts))
    server.stop()
    receiver.answer = lambda post: 200
    serve(tmp_path / "data", sections=configured)
    receiver.wait(2)
    assert [action for action, _ in receiver.targets] == ["push", "pull"]


@pytest.mark.parametrize("name", SERVERS)
def test_what_waits_is_delivered_before_the_first_request(
    serve: Serve, receiver: Receiver, tmp_path: Path, name: str
) -> None:
    outbox = SQLiteOutbox(path=str(tmp_path / "outbox"))
    outbox.put([parcel("a", endpoint="receiver")])
    outbox.close()
    kind, arguments = SERVERS[name]
    serve(kind=kind, arguments=arguments, sections=sections(tmp_path, endpoint(receiver)), answers=lambda server: True)
    receiver.wait(1)


def pending(server: Server, *arguments: str) -> str:
    command = [sys.executable, "-m", "registry_wsgi", "events", "pending", str(server.config), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_backlog_can_be_seen(serve: Serve, receiver: Receiver, tmp_path: Path) -> None:
    receiver.answer = lambda post: 500
    server = serve(sections=sections(tmp_path, endpoint(receiver)))
    client = Client(server.url)
    client.push_blob("a", b"1")
    client.push_blob("a", b"2")
    until(lambda: json.loads(pending(server, "--json"))["receiver"]["failures"] > 0)
    text = pending(server)
    assert text.startswith("receiver: pending 2  sent 0  dropped 0  failures ")
    assert "last error: the endpoint answered 500 Internal Server Error" in text
    receiver.answer = lambda post: 200
    receiver.wait(2)
    until(lambda: pending(server).startswith("receiver: pending 0  sent 2  "))
    assert json.loads(pending(server, "--json"))["receiver"]["statuses"]["200 OK"] == 2


def test_what_waits_for_an_endpoint_that_is_gone_waits_until_it_is_forgotten(
    serve: Serve, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.answer = lambda post: 500
    server = serve(tmp_path / "data", sections=sections(tmp_path, endpoint(receiver, "gone")))
    Client(server.url).push_blob("a", b"1")
    server.stop()
    server = serve(tmp_path / "data", sections=sections(tmp_path, endpoint(receiver, "new")))
    until(lambda: "events wait for an endpoint that is not configured" in server.log.read_text())
    assert [line.partition("  ")[0] for line in pending(server).splitlines()][:2] == [
        "gone: pending 1",
        "new: pending 0",
    ]
    command = [sys.executable, "-m", "registry_wsgi", "events", "forget", "gone", str(server.config)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "gone: 1 events dropped\n"
    assert pending(server).startswith("new: ")


def test_a_registry_without_endpoints_has_no_backlog_to_show(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text("{version: 0.1, storage: inmemory}")
    command = [sys.executable, "-m", "registry_wsgi", "events", "pending", str(config)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (
        2,
        "registry-wsgi: notifications.endpoints: there are none, so no events wait for any\n",
    )
