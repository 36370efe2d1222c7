"""Events on their way through an outbox: what is noted of a request, and the bytes that it is kept in.

What is the same in several events, a manifest or a client, is written once, and of each event four numbers. The rest is
done by who delivers, in a process of its own. The bytes are a line of JSON, and then the numbers, of 64 bits each, the
least significant byte first.
"""

from __future__ import annotations

import json
import sys
import uuid
from array import array
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from registry_wsgi import traceparent
from registry_wsgi.context import head_of_ids, id_of
from registry_wsgi.descriptor import OCTET_STREAM, Descriptor, Digest
from registry_wsgi.interfaces import EventRequest, EventSource, Notification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from registry_wsgi.context import Event

    Noted = tuple[int, int, str, tuple[str | None, ...], Sequence[Event]]
    """Of a request that succeeded: when, in nanoseconds since the epoch; the number of its Context, its user, what its
    environ has for `CLIENT`, and what it did."""

CLIENT: Final = (
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "HTTP_HOST",
    "SERVER_NAME",
    "SERVER_PORT",
    "REQUEST_METHOD",
    "HTTP_USER_AGENT",
    "wsgi.url_scheme",
    "SCRIPT_NAME",
    "HTTP_TRACEPARENT",
)
"""What events tell of a client."""
CLIENT_BEHIND_PROXY: Final = ("REMOTE_ADDR", "", *CLIENT[2:])
"""The same where a proxy told the address: the port is the proxy's own."""

_LONGEST: Final = 1024
"""Characters that are kept of what a client says of itself: an outbox is bounded by events, and not by bytes."""
_FORMAT: Final = 2
_NUMBERS: Final = 2**20
_COLUMNS: Final = 4
MOST_TOGETHER: Final = 1000
"""The requests that one batch should have at most: whoever delivers reads it whole."""


class Batch:
    """Events of requests, in their order. The number of an event in its batch makes its id, with the batch's own."""

    def __init__(self, noted: Iterable[Noted]) -> None:
        self._id = str(uuid.UUID(int=uuid.uuid4().int & ~(_NUMBERS - 1)))
        self._clients: list[list[str | None]] = []
        self._events: list[Event] = []
        self._rows = array("q")  # of each event when it was, its request's number, who and what
        # A cache raises the same Event object again and again, and a hash of its content would cost more.
        positions: dict[int, int] = {}
        clients: dict[tuple[str | None, ...], int] = {}
        for time, number, user, client, events in noted:
            who = clients.setdefault((user, *client), len(clients))
            if who == len(self._clients):
                self._clients.append([each and each[:_LONGEST] for each in (user, *client)])
            for event in events:
                what = positions.setdefault(id(event), len(self._events))
                if what == len(self._events):
                    self._events.append(event)
                self._rows.extend((time, number, who, what))

    def packed(
        self, source: EventSource, wants: Callable[[Event], bool], *, root: str, references: bool
    ) -> tuple[int, bytes]:
        """Return how many of the events somebody wants, and those as bytes.

        `root` is what URLs of the registry begin with; if it is empty, it is what the client used.
        """
        wanted = {position for position, event in enumerate(self._events) if wants(event)}
        positions: list[int] | None = None
        rows = self._rows
        if len(wanted) < len(self._events):
            positions = [position for position, what in enumerate(rows[_COLUMNS - 1 :: _COLUMNS]) if what in wanted]
            starts = (position * _COLUMNS for position in positions)
            rows = array("q", chain.from_iterable(rows[start : start + _COLUMNS] for start in starts))
        events = [_packed_event(event, references=references) for event in self._events]
        head = (_FORMAT, self._id, source.addr, source.instance_id, root, head_of_ids())
        document = json.dumps((*head, self._clients, events, positions), separators=(",", ":"))
        return len(rows) // _COLUMNS, document.encode() + b"\n" + _same_everywhere(rows).tobytes()


def unpack(content: bytes) -> list[Notification]:
    """Return the events of what `Batch.packed` returned. Raises ValueError for anything else."""
    document, _, numbers = content.partition(b"\n")
    try:
        version, *rest = json.loads(document)
        if version != _FORMAT:
            raise ValueError(f"the events are of the format {version}, and not {_FORMAT}")
        batch, addr, instance_id, root, head, clients, events, positions = rest
        base, source = uuid.UUID(batch).int, EventSource(addr, instance_id)
        clients = [_Client(*each) for each in clients]
        rows = _same_everywhere(array("q", numbers))
        columns = [rows[column::_COLUMNS] for column in range(_COLUMNS)]
        positions = range(len(columns[0])) if positions is None else positions
        return [
            Notification(
                id=str(uuid.UUID(int=base + position)),
                time=time,
                source=source,
                actor=clients[who].user,
                request=clients[who].request(id_of(head, number)),
                **_of_event(events[what], f"{root or clients[who].root}{clients[who].prefix}"),
            )
            for position, time, number, who, what in zip(positions, *columns, strict=True)
        ]
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"no events: {error}") from error


def _same_everywhere(numbers: array[int]) -> array[int]:
    """Return numbers of this machine as they are kept, or kept ones as they are here."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers


def _packed_event(event: Event, *, references: bool) -> list[Any]:
    target = None if event.descriptor is None else _packed(event.descriptor)
    listed = [_packed(each) for each in event.references] if references else []
    return [event.action, event.repository, target, event.tag, event.from_repository, listed]


def _packed(descriptor: Descriptor) -> list[Any]:
    # What registry:2 tells of a descriptor beyond these: neither a platform nor the embedded data.
    extra = {name: descriptor.extra[name] for name in ("urls", "annotations") if descriptor.extra.get(name)}
    return [descriptor.media_type, descriptor.size, descriptor.digest, *([extra] if extra else [])]


class _Client:
    """Who sent a request, told from its user and what its environ had for `CLIENT`; None is what it had not."""

    def __init__(self, user: str, *values: str | None) -> None:
        addr, port, host, name, server_port, method, agent, scheme, prefix, header = (each or "" for each in values)
        self.user = user
        self.prefix = prefix
        self._addr = (f"[{addr}]:{port}" if ":" in addr else f"{addr}:{port}") if port else addr
        self._host = host or f"{name}:{server_port}"
        self._method = method
        self._agent = agent
        self.root = f"{scheme}://{self._host}"
        trace = traceparent.parse(header)
        self._traceparent = trace.header if trace else ""

    def request(self, id: str) -> EventRequest:
        """Return the request of that id."""
        return EventRequest(id, self._addr, self._host, self._method, self._agent, self._traceparent)


def _of_event(event: list[Any], root: str) -> dict[str, Any]:
    action, repository, packed, tag, from_repository, references = event
    target = None if packed is None else _descriptor(packed)
    url = ""
    if target is not None and action != "delete":  # of what is deleted docker-registry tells no more than its digest
        kind = "blobs" if target.media_type == OCTET_STREAM else "manifests"
        url = f"{root}/v2/{repository}/{kind}/{target.digest}"
    return {
        "action": action,
        "repository": repository,
        "target": target,
        "tag": tag,
        "from_repository": from_repository,
        "references": tuple(_descriptor(each) for each in references),
        "url": url,
    }


def _descriptor(packed: list[Any]) -> Descriptor:
    media_type, size, digest, *extra = packed
    return Descriptor(Digest(digest), size, media_type, *extra)
