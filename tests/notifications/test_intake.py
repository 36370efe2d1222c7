"""Taking events in: a write's before its status, pulls soon after, and what is done where neither can be."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from webtest import TestApp

from registry_wsgi.api.core import create_core
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import Unavailable
from registry_wsgi.middleware.compose import Layer, compose
from registry_wsgi.middleware.notifications import NotificationsLayer
from registry_wsgi.middleware.tracing import TracingLayer
from registry_wsgi.notifications import intake as intake_module
from registry_wsgi.notifications.inmemory import InMemoryOutbox
from registry_wsgi.notifications.intake import Intake
from registry_wsgi.notifications.packing import Interest, Packing
from registry_wsgi.notifications.records import unpack
from registry_wsgi.storage.registry import Registry
from registry_wsgi.testing._together import together
from tests import storages
from tests.stack import push_blob, push_image
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry_wsgi.interfaces import Notification, Parcel


class Watched(InMemoryOutbox):
    """Counts its commits, and fails or waits when it is told to."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commits: list[int] = []
        self.broken = False
        self.entered, self.may_go_on = threading.Event(), threading.Event()
        self.may_go_on.set()

    def put(self, parcels: Sequence[Parcel]) -> None:
        self.entered.set()
        self.may_go_on.wait(60)
        if self.broken:
            raise Unavailable("the disk is full")
        super().put(parcels)
        self.commits.append(sum(parcel.count for parcel in parcels))

    def events(self, endpoint: str = "one") -> list[Notification]:
        return [event for parcel in self.oldest(endpoint, 10_000) for event in unpack(parcel.content)]


def stack(outbox: Watched, *interests: Interest, root: str = "") -> tuple[TestApp, Intake]:
    intake = Intake(outbox, lambda: Packing(interests or [Interest("one")], addr="here:5000", root=root))
    options = {"intake": intake, "deliver": lambda: None}
    layers = [Layer("tracing", TracingLayer), Layer("notifications", NotificationsLayer, options)]
    return TestApp(compose(create_core(Registry(storages.new_driver(), delete_enabled=True)), layers)), intake


@pytest.fixture
def outbox() -> Watched:
    return Watched()


def test_a_writes_event_is_in_the_outbox_when_it_is_acknowledged(outbox: Watched) -> None:
    app, _ = stack(outbox)
    for number in range(3):
        push_blob(app, "a", f"{number}".encode())
        assert len(outbox.events()) == number + 1


def test_no_status_leaves_before_the_event_is_kept(outbox: Watched) -> None:
    app, _ = stack(outbox)
    outbox.may_go_on.clear()
    pushed: list[Digest] = []
    thread = threading.Thread(target=lambda: pushed.append(push_blob(app, "a", b"content")))
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    assert pushed == []
    outbox.may_go_on.set()
    thread.join(60)
    assert len(pushed) == 1


def test_a_write_whose_event_cannot_be_kept_is_503_and_can_be_done_again(outbox: Watched) -> None:
    app, _ = stack(outbox)
    digest = Digest.of(b"content")
    outbox.broken = True
    refused = app.post(f"/v2/a/blobs/uploads/?digest={digest}", b"content", status=503)
    assert refused.json["errors"][0]["code"] == "UNAVAILABLE"
    assert "disk" not in refused.text  # what is wrong with our disks is for the log
    outbox.broken = False
    push_blob(app, "a", b"content")
    assert [event.action for event in outbox.events()] == ["push"]


def test_a_write_that_finds_the_outbox_full_is_503_and_reads_go_on() -> None:
    outbox = Watched(maxevents=3)
    app, intake = stack(outbox)
    digest = push_image(app, "a", "v1", b"config", b"layer")
    app.post(f"/v2/a/blobs/uploads/?digest={Digest.of(b'more')}", b"more", status=503)
    app.get(f"/v2/a/manifests/{digest}", status=200)
    intake.flush()
    statistics = outbox.statistics()["one"]
    assert (statistics.pending, statistics.dropped) == (3, 1)


def test_pulls_wait_for_each_other_and_are_kept_soon(outbox: Watched) -> None:
    app, _ = stack(outbox)
    digest = push_blob(app, "a", b"content")
    outbox.may_go_on.clear()
    for _ in range(50):
        app.get(f"/v2/a/blobs/{digest}", status=200)
    outbox.may_go_on.set()
    until(lambda: len(outbox.events()) == 51)
    assert len(outbox.commits) <= 3  # the push, what was on its way when the outbox stood still, and the rest
    assert len({event.id for event in outbox.events()}) == 51


def test_pulls_that_came_before_a_write_are_before_it_in_the_outbox(outbox: Watched) -> None:
    app, _ = stack(outbox)
    first = push_blob(app, "a", b"1")
    app.get(f"/v2/a/blobs/{first}", status=200)
    second = push_blob(app, "a", b"2")
    app.get(f"/v2/a/blobs/{second}", status=200)
    until(lambda: len(outbox.events()) == 4)
    told = [(event.action, event.target.digest if event.target else "") for event in outbox.events()]
    assert told == [("push", first), ("pull", first), ("push", second), ("pull", second)]


def test_a_read_does_not_wait_for_an_outbox(outbox: Watched) -> None:
    app, intake = stack(outbox)
    digest = push_blob(app, "a", b"content")
    outbox.may_go_on.clear()
    for _ in range(3):
        app.get(f"/v2/a/blobs/{digest}", status=200)
    outbox.may_go_on.set()
    intake.flush()
    assert len(outbox.events()) == 4


def test_writes_at_the_same_time_share_a_commit(outbox: Watched) -> None:
    app, intake = stack(outbox)
    outbox.may_go_on.clear()
    threads = [threading.Thread(target=push_blob, args=[app, "a", f"{number}".encode()]) for number in range(12)]
    threads[0].start()
    assert outbox.entered.wait(60)
    for thread in threads[1:]:
        thread.start()
    until(lambda: len(intake._writes) == 11)  # whoever came first commits, and the others have to wait for it
    outbox.may_go_on.set()
    for thread in threads:
        thread.join(60)
    assert outbox.commits == [1, 11]
    assert len({event.id for event in outbox.events()}) == 12


def test_of_many_writes_at_once_each_event_is_kept_once(outbox: Watched) -> None:
    app, intake = stack(outbox)

    def push(number: int) -> None:
        for each in range(20):
            digest = push_blob(app, f"r{number}", f"{number}-{each}".encode())
            app.get(f"/v2/r{number}/blobs/{digest}", status=200)

    together(*(lambda number=number: push(number) for number in range(6)))
    intake.flush()
    events = outbox.events()
    assert len({event.id for event in events}) == len(events) == 240
    for number in range(6):
        mine = [event.action for event in events if event.repository == f"r{number}"]
        assert mine == ["push", "pull"] * 20


def test_pulls_that_cannot_be_kept_are_dropped_and_counted(outbox: Watched) -> None:
    app, intake = stack(outbox)
    digest = push_blob(app, "a", b"content")
    outbox.broken = True
    for _ in range(4):
        app.get(f"/v2/a/blobs/{digest}", status=200)
    intake.flush()
    outbox.broken = False
    app.get(f"/v2/a/blobs/{digest}", status=200)
    intake.flush()
    assert [event.action for event in outbox.events()] == ["push", "pull"]
    assert outbox.statistics()["one"].dropped == 4


def test_more_pulls_than_may_wait_are_dropped_and_counted(outbox: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MOST_PULLS", 10)
    app, intake = stack(outbox)
    digest = push_blob(app, "a", b"content")
    outbox.may_go_on.clear()
    for _ in range(60):
        app.get(f"/v2/a/blobs/{digest}", status=200)
    outbox.may_go_on.set()
    intake.flush()
    until(lambda: outbox.statistics()["one"].dropped + len(outbox.events()) == 61)
    assert outbox.statistics()["one"].dropped > 0


def test_what_waits_is_kept_when_the_process_ends(outbox: Watched) -> None:
    app, intake = stack(outbox)
    digest = push_blob(app, "a", b"content")
    app.get(f"/v2/a/blobs/{digest}", status=200)
    intake.close()
    assert [event.action for event in outbox.events()] == ["push", "pull"]


MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCTETS = "application/octet-stream"


@pytest.mark.parametrize(
    ("interest", "told"),
    [
        (Interest("one"), ["push", "push", "push", "pull", "pull", "delete"]),
        (Interest("one", ignored_actions=frozenset({"pull"})), ["push", "push", "push", "delete"]),
        (Interest("one", ignored_actions=frozenset({"push", "delete"})), ["pull", "pull"]),
        (Interest("one", ignored_media_types=frozenset({OCTETS})), ["push", "pull", "delete"]),
        (Interest("one", frozenset({"push"}), frozenset({MANIFEST})), ["pull", "delete"]),
        (Interest("one", frozenset({"push", "pull", "mount", "delete"})), []),
    ],
)
def test_an_endpoint_gets_what_it_does_not_ignore(outbox: Watched, interest: Interest, told: list[str]) -> None:
    app, intake = stack(outbox, interest, Interest("two"))
    push_image(app, "a", "v1", b"config", b"layer")
    app.get("/v2/a/manifests/v1", status=200)
    app.get(f"/v2/a/blobs/{Digest.of(b'layer')}", status=200)
    app.delete(f"/v2/a/blobs/{Digest.of(b'layer')}", status=202)
    intake.flush()
    assert [event.action for event in outbox.events()] == told
    everything = outbox.events("two")
    assert [event.action for event in everything] == ["push", "push", "push", "pull", "pull", "delete"]
    assert {event.id for event in outbox.events()} <= {event.id for event in everything}  # an event has one id


def test_what_nobody_wants_is_not_even_noted(outbox: Watched) -> None:
    app, intake = stack(outbox, Interest("one", frozenset({"pull"})))
    digest = push_blob(app, "a", b"content")
    app.get(f"/v2/a/blobs/{digest}", status=200)
    intake.flush()
    assert outbox.commits == [1]


def test_an_event_tells_of_its_request(outbox: Watched) -> None:
    app, _ = stack(outbox)
    headers = {"User-Agent": "docker/24", "Host": "registry.example.com"}
    environ = {"REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "4711", "SCRIPT_NAME": "/below"}
    app.post(f"/v2/a/blobs/uploads/?digest={Digest.of(b'c')}", b"c", headers=headers, extra_environ=environ, status=201)
    (event,) = outbox.events()
    request = event.request
    assert (request.addr, request.host, request.method) == ("192.0.2.7:4711", "registry.example.com", "POST")
    assert request.useragent == "docker/24"
    assert len(request.id) == 36
    assert event.source.addr == "here:5000"
    assert event.url == f"http://registry.example.com/below/v2/a/blobs/{Digest.of(b'c')}"
    assert event.target == Descriptor(Digest.of(b"c"), 1)
    assert abs(event.time - time.time_ns()) < 3600 * 10**9


def test_of_what_a_client_says_of_itself_no_more_is_kept_than_fits_an_event(outbox: Watched) -> None:
    app, _ = stack(outbox)
    headers = {"User-Agent": "x" * 100_000}
    app.post(f"/v2/a/blobs/uploads/?digest={Digest.of(b'c')}", b"c", headers=headers, status=201)
    assert outbox.events()[0].request.useragent == "x" * 1024


@pytest.mark.parametrize(
    ("sent", "passed_on"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",) * 2,
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", ""),
        ("anything\r\nX-Else: 1", ""),
        ("", ""),
    ],
)
def test_an_event_is_a_part_of_the_trace_of_its_request(outbox: Watched, sent: str, passed_on: str) -> None:
    app, intake = stack(outbox)
    digest = push_blob(app, "a", b"content")
    app.get(f"/v2/a/blobs/{digest}", extra_environ={"HTTP_TRACEPARENT": sent}, status=200)
    intake.flush()
    assert [event.request.traceparent for event in outbox.events()] == ["", passed_on]


@pytest.mark.parametrize(
    ("environ", "addr"),
    [
        ({"REMOTE_ADDR": "192.0.2.7"}, "192.0.2.7"),
        ({"REMOTE_ADDR": "2001:db8::1", "REMOTE_PORT": "1"}, "[2001:db8::1]:1"),
        ({"REMOTE_ADDR": "192.0.2.9", "REMOTE_PORT": "1", "werkzeug.proxy_fix.orig": {}}, "192.0.2.9"),
    ],
)
def test_the_address_has_the_clients_port_where_it_is_told(outbox: Watched, environ: dict[str, Any], addr: str) -> None:
    app, _ = stack(outbox)
    app.post(f"/v2/a/blobs/uploads/?digest={Digest.of(b'c')}", b"c", extra_environ=environ, status=201)
    assert outbox.events()[0].request.addr == addr


def test_urls_begin_with_the_configured_host(outbox: Watched) -> None:
    app, _ = stack(outbox, root="https://registry.example.com/")
    digest = push_blob(app, "a", b"content")
    assert outbox.events()[0].url == f"https://registry.example.com/v2/a/blobs/{digest}"
