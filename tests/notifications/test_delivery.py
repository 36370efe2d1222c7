"""Delivering: in order, until it is taken, and no endpoint for another."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.context import Event
from registry_wsgi.errors import DeliveryFailed, Unavailable
from registry_wsgi.interfaces import EventSource, Parcel
from registry_wsgi.notifications.delivery import Breaker, Delivery
from registry_wsgi.notifications.inmemory import InMemoryOutbox
from registry_wsgi.notifications.records import CLIENT, Batch
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from registry_wsgi.interfaces import Notification, StoredParcel

SOURCE = EventSource("here:5000", "instance")


def parcel(*repositories: str, endpoint: str = "one") -> Parcel:
    """Return a push of a tag to each of the repositories."""
    noted = (0, 1, "", (None,) * len(CLIENT), [Event("push", name, tag="v1") for name in repositories])
    count, content = Batch([noted]).packed(SOURCE, lambda event: True, root="", references=False)
    return Parcel(endpoint, count, content)


class Sink:
    """Keeps the repositories of what it takes; `refuse` is asked before each."""

    in_process = True

    def __init__(self, refuse: Callable[[Notification], Exception | None] = lambda event: None) -> None:
        self.taken: list[str] = []
        self.attempts: list[str] = []
        self.ids: set[str] = set()
        self.closed = False
        self.refuse = refuse

    def send(self, event: Notification) -> str:
        self.attempts.append(event.repository)
        self.ids.add(event.id)
        error = self.refuse(event)
        if error is not None:
            raise error
        self.taken.append(event.repository)
        return "200 OK"

    def close(self) -> None:
        self.closed = True


@contextmanager
def delivering(outbox: InMemoryOutbox, sink: Sink, endpoint: str = "one") -> Iterator[None]:
    stopping = threading.Event()
    delivery = Delivery(outbox, endpoint, sink, Breaker(threshold=3, backoff=0.01))
    thread = threading.Thread(target=delivery.run, args=[stopping])
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
    assert sink.closed


@pytest.fixture
def outbox() -> InMemoryOutbox:
    return InMemoryOutbox()


def test_events_are_delivered_in_their_order_and_removed(outbox: InMemoryOutbox) -> None:
    outbox.put([parcel("a", "b", "c"), parcel("d")])
    sink = Sink()
    with delivering(outbox, sink):
        until(lambda: len(sink.taken) == 4)
        outbox.put([parcel("e")])
        until(lambda: outbox.statistics()["one"].sent == 5)
    assert sink.taken == ["a", "b", "c", "d", "e"]
    statistics = outbox.statistics()["one"]
    assert (statistics.pending, statistics.failures, statistics.statuses) == (0, 0, {"200 OK": 5})


def failures(*errors: Exception) -> Callable[[Notification], Exception | None]:
    left = list(errors)
    return lambda event: left.pop(0) if left else None


def test_an_event_is_sent_until_it_is_taken_and_the_next_waits(outbox: InMemoryOutbox) -> None:
    outbox.put([parcel("a", "b")])
    sink = Sink(failures(DeliveryFailed("no", "500 No"), DeliveryFailed("gone"), RuntimeError("a bug"), OSError("off")))
    with delivering(outbox, sink):
        until(lambda: outbox.statistics()["one"].sent == 2)
    assert sink.attempts == ["a"] * 5 + ["b"]
    assert len(sink.ids) == 2
    statistics = outbox.statistics()["one"]
    assert (statistics.failures, statistics.errors) == (1, 3)
    assert statistics.statuses == {"500 No": 1, "200 OK": 2}
    assert statistics.last_error == "OSError: off"


def test_a_dead_endpoint_holds_up_no_other(outbox: InMemoryOutbox) -> None:
    for number in range(20):
        outbox.put([parcel(f"{number}"), parcel(f"{number}", endpoint="dead")])
    dead, alive = Sink(lambda event: DeliveryFailed("dead")), Sink()
    with delivering(outbox, dead, "dead"), delivering(outbox, alive):
        until(lambda: len(alive.taken) == 20 and len(dead.attempts) > 3)
    assert set(dead.attempts) == {"0"}
    assert outbox.statistics()["dead"].pending == 20


def test_what_was_delivered_is_noted_when_it_stops(outbox: InMemoryOutbox) -> None:
    outbox.put([parcel("a", "b", "c")])
    sink = Sink(lambda event: DeliveryFailed("not this") if event.repository == "c" else None)
    with delivering(outbox, sink):
        until(lambda: sink.attempts.count("c") > 1)
    assert [each.sent for each in outbox.oldest("one", 9)] == [2]
    sink = Sink()
    with delivering(outbox, sink):
        until(lambda: outbox.statistics()["one"].pending == 0)
    assert sink.taken == ["c"]


def test_events_that_cannot_be_read_are_left_out_and_counted(
    outbox: InMemoryOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.put([Parcel("one", 2, b"no JSON"), Parcel("one", 1, b"[99,1,2,3,[]]"), parcel("a")])
    sink = Sink()
    with delivering(outbox, sink):
        until(lambda: bool(sink.taken))
        until(lambda: outbox.statistics()["one"].pending == 0)
    assert outbox.statistics()["one"].dropped == 3
    assert caplog.messages.count("events that cannot be read are left out") == 2


def test_an_outbox_that_fails_for_a_while_is_asked_again() -> None:
    class Failing(InMemoryOutbox):
        failed = 0

        def oldest(self, endpoint: str, limit: int) -> Sequence[StoredParcel]:
            if self.failed < 2:
                self.failed += 1
                raise Unavailable("the disk is away")
            return super().oldest(endpoint, limit)

    outbox = Failing()
    outbox.put([parcel("a")])
    sink = Sink()
    with delivering(outbox, sink):
        until(lambda: sink.taken == ["a"])


def test_an_endpoint_that_is_down_and_one_that_is_back_are_told_once(
    outbox: InMemoryOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "registry_wsgi")
    outbox.put([parcel("a")])
    with delivering(outbox, Sink(failures(*[DeliveryFailed("no")] * 6))):
        until(lambda: outbox.statistics()["one"].pending == 0)
    assert caplog.messages == ["an endpoint takes no events", "an endpoint takes events again"]


def test_pauses_grow_to_the_backoff_at_the_threshold_and_on_to_a_minute() -> None:
    breaker = Breaker(threshold=5, backoff=1.0)
    pauses = [breaker.failed() for _ in range(20)]
    for number, pause in enumerate(pauses, 1):
        longest = min(2.0 ** (number - 5), 60.0)
        assert longest / 2 <= pause <= longest
    breaker.succeeded()
    assert not breaker.is_open
    assert breaker.failed() <= 2.0**-4


def test_a_backoff_of_more_than_a_minute_is_kept() -> None:
    breaker = Breaker(threshold=1, backoff=600.0)
    assert all(300 <= breaker.failed() <= 600 for _ in range(100))
    breaker.failures = 10**6
    assert breaker.failed() <= 600
