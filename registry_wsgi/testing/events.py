"""The conformance suites of event outboxes and event sinks.

class TestMyOutbox(OutboxSuite):
    @pytest.fixture
    def outbox(self):
        ...  # an outbox with nothing in it, in which each endpoint may have 100 events waiting

class TestMySink(EventSinkSuite):
    @pytest.fixture
    def sink(self):
        ...  # a sink whose endpoint takes everything
    def received(self, count):
        ...  # the ids of the first `count` events that its endpoint got, in their order
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import Unavailable
from registry_wsgi.interfaces import EndpointStatistics, EventRequest, EventSource, Notification, Parcel
from registry_wsgi.testing._together import together

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry_wsgi.interfaces import EventSink, Outbox

__all__ = ["EventSinkSuite", "OutboxSuite", "notification"]


def parcel(content: str, count: int = 1, endpoint: str = "one", *, droppable: bool = False) -> Parcel:
    return Parcel(endpoint, count, content.encode(), droppable)


def contents(outbox: Outbox, endpoint: str = "one") -> list[str]:
    return [stored.content.decode() for stored in outbox.oldest(endpoint, 1000)]


class OutboxSuite:
    """What an `Outbox` has to do. Subclass it and give fixtures:

    * `outbox`: one with nothing in it, in which each endpoint may have 100 events waiting;
    * `again`, if what is kept outlives a process: a second outbox over the same store, as another process has it.
    """

    @pytest.fixture
    def outbox(self) -> Outbox | Iterator[Outbox]:
        raise NotImplementedError("give a fixture `outbox`: one with nothing in it, for 100 events of each endpoint")

    @pytest.fixture
    def again(self) -> Outbox | None:
        return None

    def test_what_was_put_is_there_in_its_order(self, outbox: Outbox) -> None:
        outbox.put([parcel("a"), parcel("b")])
        outbox.put([parcel("c")])
        stored = outbox.oldest("one", 1000)
        assert [(each.content, each.count, each.sent) for each in stored] == [(b"a", 1, 0), (b"b", 1, 0), (b"c", 1, 0)]
        assert sorted(each.id for each in stored) == [each.id for each in stored]

    def test_the_oldest_are_as_many_as_are_asked_for(self, outbox: Outbox) -> None:
        outbox.put([parcel(f"{number}") for number in range(5)])
        assert [each.content for each in outbox.oldest("one", 2)] == [b"0", b"1"]
        assert outbox.oldest("nobody", 2) == []

    def test_putting_nothing_is_nothing(self, outbox: Outbox) -> None:
        outbox.put([])
        assert contents(outbox) == []

    def test_content_is_bytes_of_any_kind_and_length(self, outbox: Outbox) -> None:
        content = bytes(range(256)) * 4000
        outbox.put([Parcel("one", 1, content)])
        assert outbox.oldest("one", 1)[0].content == content

    def test_endpoints_have_nothing_to_do_with_each_other(self, outbox: Outbox) -> None:
        outbox.put([parcel("a"), parcel("b", endpoint="two"), parcel("c")])
        assert contents(outbox) == ["a", "c"]
        last = outbox.oldest("one", 2)[-1]
        outbox.settle("one", last, 1)
        assert contents(outbox) == []
        assert contents(outbox, "two") == ["b"]

    def test_what_is_settled_is_gone_with_all_before_it(self, outbox: Outbox) -> None:
        outbox.put([parcel("a", 2), parcel("b", 3), parcel("c")])
        outbox.settle("one", outbox.oldest("one", 2)[-1], 3)
        assert contents(outbox) == ["c"]
        statistics = outbox.statistics()["one"]
        assert (statistics.pending, statistics.sent) == (1, 5)

    def test_a_parcel_can_be_settled_in_part(self, outbox: Outbox) -> None:
        outbox.put([parcel("a"), parcel("b", 5)])
        second = outbox.oldest("one", 2)[-1]
        outbox.settle("one", second, 2)
        (left,) = outbox.oldest("one", 2)
        assert (left.id, left.count, left.sent) == (second.id, 5, 2)
        assert outbox.statistics()["one"].pending == 3
        outbox.settle("one", left, 5)
        assert outbox.statistics()["one"] == EndpointStatistics(pending=0, sent=6)

    def test_settling_twice_counts_once(self, outbox: Outbox) -> None:
        outbox.put([parcel("a", 3), parcel("b")])
        first = outbox.oldest("one", 1)[0]
        for sent in (2, 1, 3, 3):
            outbox.settle("one", first, sent)
        assert outbox.statistics()["one"] == EndpointStatistics(pending=1, sent=3)
        assert contents(outbox) == ["b"]

    def test_an_id_is_never_given_twice(self, outbox: Outbox) -> None:
        outbox.put([parcel("a")])
        first = outbox.oldest("one", 1)[0]
        outbox.settle("one", first, 1)
        outbox.put([parcel("b")])
        assert outbox.oldest("one", 1)[0].id > first.id

    def test_a_parcel_without_room_is_refused_and_those_beside_it(self, outbox: Outbox) -> None:
        outbox.put([parcel("a", 99)])
        with pytest.raises(Unavailable):
            outbox.put([parcel("b", endpoint="two"), parcel("c"), parcel("d")])
        assert contents(outbox) == ["a"]
        assert contents(outbox, "two") == []
        assert outbox.statistics()["one"].pending == 99
        outbox.put([parcel("b", endpoint="two"), parcel("c")])
        assert contents(outbox) == ["a", "c"]

    def test_a_droppable_parcel_may_take_half_of_the_room_and_is_dropped_and_counted(self, outbox: Outbox) -> None:
        outbox.put([parcel("a", 49)])
        outbox.put([parcel("b", 2, droppable=True), parcel("c", droppable=True), parcel("d", 2)])
        assert contents(outbox) == ["a", "c", "d"]
        assert outbox.statistics()["one"] == EndpointStatistics(pending=52, dropped=2)

    def test_an_endpoint_without_room_takes_none_from_another(self, outbox: Outbox) -> None:
        outbox.put([parcel("a", 100)])
        outbox.put([parcel("b", droppable=True), parcel("b", endpoint="two", droppable=True)])
        outbox.put([parcel("c", 99, endpoint="two")])
        assert contents(outbox, "two") == ["b", "c"]

    def test_there_is_room_again_when_something_was_delivered(self, outbox: Outbox) -> None:
        outbox.put([parcel("a", 100)])
        outbox.settle("one", outbox.oldest("one", 1)[0], 10)
        outbox.put([parcel("b", 10)])
        with pytest.raises(Unavailable):
            outbox.put([parcel("c")])

    def test_counts_are_added_up(self, outbox: Outbox) -> None:
        outbox.count("one", EndpointStatistics(failures=2, statuses={"500 Oh": 2}, last_error="500 Oh"))
        outbox.count("one", EndpointStatistics(errors=1, dropped=3, statuses={"500 Oh": 1, "200 OK": 4}))
        assert outbox.statistics()["one"] == EndpointStatistics(
            failures=2, errors=1, dropped=3, statuses={"500 Oh": 3, "200 OK": 4}, last_error="500 Oh"
        )

    def test_an_endpoint_can_be_forgotten(self, outbox: Outbox) -> None:
        outbox.put([parcel("a", 7), parcel("b", endpoint="two")])
        outbox.count("one", EndpointStatistics(failures=1, statuses={"500 Oh": 1}))
        assert outbox.forget("one") == 7
        assert outbox.statistics() == {"two": EndpointStatistics(pending=1)}
        assert contents(outbox) == []
        assert outbox.forget("one") == 0
        outbox.put([parcel("c")])
        assert contents(outbox) == ["c"]

    def test_an_endpoint_of_which_nothing_is_counted_is_known(self, outbox: Outbox) -> None:
        outbox.count("new", EndpointStatistics())
        assert outbox.statistics() == {"new": EndpointStatistics()}

    def test_many_threads_put_at_once_and_nothing_is_lost(self, outbox: Outbox) -> None:
        def put(number: int) -> None:
            for each in range(10):
                outbox.put([parcel(f"{number}-{each}")])

        together(*(lambda number=number: put(number) for number in range(8)))
        stored = contents(outbox)
        assert len(stored) == outbox.statistics()["one"].pending == 80
        for number in range(8):
            mine = [content for content in stored if content.startswith(f"{number}-")]
            assert mine == [f"{number}-{each}" for each in range(10)]

    def test_one_at_a_time_has_the_claim(self, outbox: Outbox, again: Outbox | None) -> None:
        claim = outbox.claim()
        assert claim is not None
        assert outbox.claim() is None
        if again is not None:
            assert again.claim() is None
        claim.release()
        following = (again or outbox).claim()
        assert following is not None
        following.release()

    def test_another_process_has_the_same(self, outbox: Outbox, again: Outbox | None) -> None:
        if again is None:
            pytest.skip("this outbox is of one process")
        outbox.put([parcel("a", 5)])
        assert contents(again) == ["a"]
        again.put([parcel("b")])
        again.settle("one", again.oldest("one", 1)[0], 5)
        assert contents(outbox) == ["b"]
        assert outbox.statistics() == again.statistics() == {"one": EndpointStatistics(pending=1, sent=5)}

    def test_it_can_be_closed_twice_and_used_again(self, outbox: Outbox) -> None:
        outbox.put([parcel("a")])
        outbox.close()
        outbox.close()
        assert contents(outbox) == ["a"]


def notification(number: int = 0, **members: object) -> Notification:
    """Return an event: a push of a manifest by tag, unless `members` say otherwise."""
    default: dict[str, object] = {
        "id": str(uuid.UUID(int=number)),
        "time": 1_700_000_000_123_456_789 + number,
        "action": "push",
        "repository": "library/busybox",
        "request": EventRequest("request", "192.0.2.1:1234", "registry.example.com", "PUT", "docker/24"),
        "source": EventSource("registry:5000", "instance"),
        "actor": "alice",
        "target": Descriptor(Digest.of(b"manifest"), 8, "application/vnd.oci.image.manifest.v1+json"),
        "tag": "latest",
        "url": f"https://registry.example.com/v2/library/busybox/manifests/{Digest.of(b'manifest')}",
    }
    return Notification(**{**default, **members})  # type: ignore[arg-type]


VARIANTS: dict[str, dict[str, object]] = {
    "a tag was deleted": {"action": "delete", "target": None, "url": ""},
    "nobody asked": {"actor": "", "tag": ""},
    "mounted": {"action": "mount", "from_repository": "library/other"},
    "with references": {"references": (Descriptor(Digest.of(b"layer"), 5, "application/vnd.example"),)},
    "an address of IPv6": {"request": EventRequest("", "[2001:db8::1]:1", "", "GET", "")},
    "bytes above ASCII": {"request": EventRequest("", "", "", "GET", "caf\xe9 \u20ac \U0001f433 \x7f")},
    "half a surrogate pair": {"references": (Descriptor(Digest.of(b"l"), 1, "x/y", {"annotations": {"a": "\ud800"}}),)},
    "of the year 2000": {"time": 946_684_800_000_000_000},
}


class EventSinkSuite:
    """What an `EventSink` has to do. Subclass it, give the fixture `sink` and the method `received`."""

    @pytest.fixture
    def sink(self) -> EventSink | Iterator[EventSink]:
        raise NotImplementedError("give a fixture `sink`: one whose endpoint takes everything")

    def received(self, count: int) -> Sequence[str]:
        """Return the ids of the first `count` events that the endpoint got, waiting for them if need be."""
        raise NotImplementedError

    def test_it_says_where_it_has_to_run(self, sink: EventSink) -> None:
        assert isinstance(type(sink).in_process, bool)

    def test_an_event_arrives(self, sink: EventSink) -> None:
        event = notification(1)
        assert isinstance(sink.send(event), str)
        assert list(self.received(1)) == [event.id]

    def test_events_arrive_in_their_order(self, sink: EventSink) -> None:
        events = [notification(number) for number in range(20)]
        for event in events:
            sink.send(event)
        assert list(self.received(20)) == [event.id for event in events]

    def test_an_event_that_is_sent_again_has_its_id(self, sink: EventSink) -> None:
        for _ in range(2):
            sink.send(notification(7))
        assert list(self.received(2)) == [notification(7).id] * 2

    @pytest.mark.parametrize("variant", VARIANTS)
    def test_every_event_arrives(self, sink: EventSink, variant: str) -> None:
        event = notification(3, **VARIANTS[variant])
        sink.send(event)
        assert list(self.received(1)) == [event.id]

    def test_it_can_be_closed_twice(self, sink: EventSink) -> None:
        sink.send(notification(1))
        sink.close()
        sink.close()
