"""Events on their way through an outbox: what is noted of a request, and the bytes that it is kept in.

A pull must cost a few microseconds at most: of a request only texts are noted, and what is the same in several events,
a manifest or a client, once. The rest is done by one call of the JSON encoder, and by who delivers.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from registry_wsgi.descriptor import OCTET_STREAM, Descriptor, Digest
from registry_wsgi.interfaces import EventRequest, EventSource, Notification

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry_wsgi.context import Event

    Client = tuple[str, str, str, str, str, str, str, str]
    """User, address, port, host, method, user agent, scheme, and the path below which the registry is."""

_FORMAT = 1
_NUMBERS = 2**20
MOST_TOGETHER = 1000
"""The events that one batch should have at most: the encoder lets no other thread work meanwhile."""


class Batch:
    """Events of requests, in their order. The number of an event in its batch makes its id, with the batch's own."""

    __slots__ = ("_clients", "_events", "_positions", "_rows", "id")

    def __init__(self) -> None:
        self.id = str(uuid.UUID(int=uuid.uuid4().int & ~(_NUMBERS - 1)))
        self._clients: dict[Client, int] = {}
        self._events: list[Event] = []
        self._positions: dict[int, int] = {}
        self._rows: list[tuple[int, str, int, int]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def note(self, time: int, request_id: str, client: Client, events: Sequence[Event]) -> None:
        """Add what a request did at `time`, in nanoseconds since the epoch."""
        who = self._clients.setdefault(client, len(self._clients))
        for event in events:
            # A cache raises the same Event object again and again, and a hash of its content would cost more.
            what = self._positions.get(id(event))
            if what is None:
                what = self._positions[id(event)] = len(self._events)
                self._events.append(event)
            self._rows.append((time, request_id, who, what))

    def packed(
        self, source: EventSource, wants: Callable[[Event], bool], *, root: str, references: bool
    ) -> tuple[int, bytes]:
        """Return how many of the events somebody wants, and those as bytes.

        `root` is what URLs of the registry begin with; if it is empty, it is what the client used.
        """
        wanted = {position for position, event in enumerate(self._events) if wants(event)}
        numbers: list[int] | None = None
        rows = self._rows
        if len(wanted) < len(self._events):
            numbers = [number for number, row in enumerate(rows) if row[-1] in wanted]
            rows = [rows[number] for number in numbers]
        events = [_packed_event(event, references=references) for event in self._events]
        head = (_FORMAT, self.id, source.addr, source.instance_id, root)
        document = (*head, list(self._clients), events, numbers, rows)
        return len(rows), json.dumps(document, separators=(",", ":")).encode()


def unpack(content: bytes) -> list[Notification]:
    """Return the events of what `Batch.packed` returned. Raises ValueError for anything else."""
    try:
        version, *rest = json.loads(content)
        if version != _FORMAT:
            raise ValueError(f"the events are of the format {version}, and not {_FORMAT}")
        batch, addr, instance_id, root, clients, events, numbers, rows = rest
        base, source = uuid.UUID(batch).int, EventSource(addr, instance_id)
        numbers = range(len(rows)) if numbers is None else numbers
        return [
            Notification(
                id=str(uuid.UUID(int=base + number)),
                time=time,
                source=source,
                **_of_client(clients[who], request_id),
                **_of_event(events[what], root or _root(clients[who]), clients[who][-1]),
            )
            for number, (time, request_id, who, what) in zip(numbers, rows, strict=True)
        ]
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"no events: {error}") from error


def _packed_event(event: Event, *, references: bool) -> list[Any]:
    target = None if event.descriptor is None else _packed(event.descriptor)
    listed = [_packed(each) for each in event.references] if references else []
    return [event.action, event.repository, target, event.tag, event.from_repository, listed]


def _packed(descriptor: Descriptor) -> list[Any]:
    # What registry:2 tells of a descriptor beyond these: neither a platform nor the embedded data.
    extra = {name: descriptor.extra[name] for name in ("urls", "annotations") if descriptor.extra.get(name)}
    return [descriptor.media_type, descriptor.size, descriptor.digest, *([extra] if extra else [])]


def _of_client(client: list[str], request_id: str) -> dict[str, Any]:
    user, addr, port, host, method, useragent, _, _ = client
    if port:
        addr = f"[{addr}]:{port}" if ":" in addr else f"{addr}:{port}"
    return {"actor": user, "request": EventRequest(request_id, addr, host, method, useragent)}


def _root(client: list[str]) -> str:
    """Return what the client's URLs of the registry began with."""
    *_, host, _, _, scheme, _ = client
    return f"{scheme}://{host}"


def _of_event(event: list[Any], root: str, prefix: str) -> dict[str, Any]:
    action, repository, packed, tag, from_repository, references = event
    target = None if packed is None else _descriptor(packed)
    url = ""
    if target is not None and action != "delete":  # of what is deleted docker-registry tells no more than its digest
        kind = "blobs" if target.media_type == OCTET_STREAM else "manifests"
        url = f"{root}{prefix}/v2/{repository}/{kind}/{target.digest}"
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
