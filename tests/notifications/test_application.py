"""A host application gets events as Python objects, in its own process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from webtest import TestApp

import registry_wsgi
from registry_wsgi.descriptor import Digest
from tests import storages
from tests.notifications.conftest import endpoint, sections
from tests.stack import push_blob, push_image
from tests.waiting import until
from tests.wire import Client

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import Notification
    from tests.conftest import Serve
    from tests.notifications.receiver import Receiver


def host(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"host"]


def mounted(events: Any, **sections: Any) -> TestApp:
    config = {"storage": storages.new_section(), **sections}
    return TestApp(registry_wsgi.mount(host, config, open_access=True, events=events))


def test_a_function_of_the_host_gets_each_event_once_and_in_order() -> None:
    got: list[Notification] = []
    app = mounted(got.append)
    digest = push_image(app, "a", "v1", b"config", b"layer")
    app.get("/v2/a/manifests/v1", status=200)
    until(lambda: len(got) == 4)
    assert [event.action for event in got] == ["push", "push", "push", "pull"]
    pushed = got[2]
    assert pushed.target is not None
    assert (pushed.repository, pushed.tag, pushed.target.digest) == ("a", "v1", digest)
    assert pushed.url.endswith(f"/v2/a/manifests/{digest}")


def test_no_request_waits_for_the_function() -> None:
    called, may_go_on = threading.Event(), threading.Event()

    def slow(event: Notification) -> None:
        called.set()
        may_go_on.wait(60)

    app = mounted(slow)
    push_blob(app, "a", b"1")
    assert called.wait(60)
    push_blob(app, "a", b"2")
    may_go_on.set()


def test_an_event_with_which_the_function_fails_comes_again() -> None:
    got: list[str] = []

    def failing(event: Notification) -> None:
        got.append(event.id)
        if len(got) < 3:
            raise RuntimeError("not yet")

    app = mounted(failing)
    push_blob(app, "a", b"1")
    until(lambda: len(got) == 3)
    assert len(set(got)) == 1


def test_a_function_and_endpoints_have_one_outbox(tmp_path: Path, receiver: Receiver) -> None:
    got: list[Notification] = []
    app = mounted(got.append, **sections(tmp_path, endpoint(receiver)))
    digest = push_blob(app, "a", b"1")
    receiver.wait(1)
    until(lambda: bool(got))
    assert [got[0].id] == [event["id"] for event in receiver.events]
    assert receiver.targets[0][1]["digest"] == digest
    assert (tmp_path / "outbox" / "outbox.sqlite").exists()


def test_references_are_told_if_asked_for() -> None:
    got: list[Notification] = []
    app = mounted(got.append, notifications={"events": {"includereferences": True}})
    push_image(app, "a", "v1", b"config", b"layer")
    until(lambda: len(got) == 3)
    assert [each.digest for each in got[2].references] == [Digest.of(b"config"), Digest.of(b"layer")]


MODULE = """
import os
def happened(event):
    with open(os.environ["SEEN"], "a") as file:
        file.write(f"{os.getppid()} {event.action} {event.target.digest}\\n")
"""


@pytest.mark.parametrize("arguments", [(), ("--preload",)])
def test_of_several_workers_one_calls_the_function_of_a_file(
    serve: Serve, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "site_of_ours.py").write_text(MODULE)
    keys = {"name": "mine", "sink": "callable", "options": {"function": "site_of_ours:happened"}}
    server = serve(
        kind="gthread",
        arguments=["--workers", "2", *arguments],
        sections=sections(tmp_path, keys),
        environment={"PYTHONPATH": str(tmp_path), "SEEN": str(tmp_path / "seen")},
    )
    client = Client(server.url)
    digests = [client.push_blob("a", f"{number}".encode()) for number in range(8)]
    until(lambda: (tmp_path / "seen").exists() and len((tmp_path / "seen").read_text().splitlines()) == 8)
    lines = [line.split() for line in (tmp_path / "seen").read_text().splitlines()]
    assert [line[2] for line in lines] == digests
    assert {line[0] for line in lines} == {f"{server.process.pid}"}  # a worker, and no process of its own
