"""Events on their way through an outbox: what is noted of a request, and the bytes that it is kept in.

Of a request only texts are noted, at the cost of a tuple: an environ would keep the whole request in memory.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from registry_wsgi.descriptor import OCTET_STREAM, Descriptor, Digest
from registry_wsgi.interfaces import EventRequest, EventSource, Notification

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from registry_wsgi.context import Event

MOST_RECORDS = 2**16
"""The most events of one batch: their ids differ in that many."""
_FORMAT = 1


class Noted(NamedTuple):
    """A request that succeeded, what it did, and when; times are nanoseconds since the epoch."""

    time: int
    events: Sequence[Event]
    request_id: str
    user: str
    addr: str
    port: str
    host: str
    method: str
    useragent: str
    scheme: str
    prefix: str


Record = list[Any]
"""One event in the order of `Notification`, as JSON has it, its number in the batch before it."""


def records(noted: Noted, first: int, *, root: str, references: bool) -> list[tuple[Event, Record]]:
    """Return the events of a request with their records, numbered from `first`.

    `root` is what URLs of the registry begin with; if it is empty, it is what the client used.
    """
    root = (root or f"{noted.scheme}://{noted.host}") + noted.prefix
    addr = f"[{noted.addr}]" if ":" in noted.addr and noted.port else noted.addr
    request = [noted.request_id, f"{addr}:{noted.port}" if noted.port else addr, noted.host, noted.method]
    return [
        (
            event,
            [
                number,
                noted.time,
                event.action,
                event.repository,
                [*request, noted.useragent],
                noted.user,
                None if event.descriptor is None else _packed(event.descriptor),
                event.tag,
                event.from_repository,
                root,
                [_packed(each) for each in event.references] if references else [],
            ],
        )
        for number, event in enumerate(noted.events, first)
    ]


def pack(batch: str, source: EventSource, packed: Iterable[Record]) -> bytes:
    """Return the records as bytes. `batch` is from `new_batch`; with a record's number it makes the event's id."""
    document = [_FORMAT, batch, source.addr, source.instance_id, list(packed)]
    return json.dumps(document, separators=(",", ":")).encode()


def unpack(content: bytes) -> list[Notification]:
    """Return the events of what `pack` made. Raises ValueError for anything else."""
    try:
        version, batch, addr, instance_id, packed = json.loads(content)
        if version != _FORMAT:
            raise ValueError(f"the events are of the format {version}, and not {_FORMAT}")
        source = EventSource(addr, instance_id)
        return [_notification(uuid.UUID(batch).int, source, record) for record in packed]
    except (TypeError, KeyError) as error:
        raise ValueError(f"no events: {error}") from error


def new_batch() -> str:
    """Return a random UUID whose last digits are free for the numbers of records."""
    return str(uuid.UUID(int=uuid.uuid4().int & ~(MOST_RECORDS - 1)))


def _packed(descriptor: Descriptor) -> list[Any]:
    # What registry:2 tells of a descriptor beyond these: neither a platform nor the embedded data.
    extra = {name: descriptor.extra[name] for name in ("urls", "annotations") if descriptor.extra.get(name)}
    return [descriptor.media_type, descriptor.size, descriptor.digest, *([extra] if extra else [])]


def _descriptor(packed: list[Any]) -> Descriptor:
    media_type, size, digest, *extra = packed
    return Descriptor(Digest(digest), size, media_type, *extra)


def _notification(batch: int, source: EventSource, record: Record) -> Notification:
    number, time, action, repository, request, actor, target, tag, from_repository, root, references = record
    descriptor = None if target is None else _descriptor(target)
    # docker-registry tells of what is deleted no more than its digest.
    url = "" if descriptor is None or action == "delete" else _url(root, repository, descriptor)
    return Notification(
        id=str(uuid.UUID(int=batch + number)),
        time=time,
        action=action,
        repository=repository,
        request=EventRequest(*request),
        source=source,
        actor=actor,
        target=descriptor,
        tag=tag,
        from_repository=from_repository,
        url=url,
        references=tuple(_descriptor(each) for each in references),
    )


def _url(root: str, repository: str, descriptor: Descriptor) -> str:
    kind = "blobs" if descriptor.media_type == OCTET_STREAM else "manifests"
    return f"{root}/v2/{repository}/{kind}/{descriptor.digest}"
