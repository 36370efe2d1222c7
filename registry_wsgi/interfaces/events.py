"""Events and the sinks that they are delivered to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from registry_wsgi.descriptor import Descriptor


@dataclass(frozen=True, slots=True)
class EventRequest:
    """The request that an event is of; `addr` is the client's, with its port where the server tells it.

    `traceparent` is the trace that it said it was a part of (W3C Trace Context), to be passed on.
    """

    id: str
    addr: str
    host: str
    method: str
    useragent: str
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class EventSource:
    """Who raised an event: the host and port of a registry, and the process."""

    addr: str
    instance_id: str


@dataclass(frozen=True, slots=True)
class Notification:
    """An event as a sink gets it. `id` is the same each time it is delivered; `time` is nanoseconds since the epoch.

    `target` is None where a tag was deleted, and `url` is empty then; `references` are what a manifest refers to, if
    the configuration asks for them.
    """

    id: str
    time: int
    action: Literal["pull", "push", "mount", "delete"]
    repository: str
    request: EventRequest
    source: EventSource
    actor: str = ""
    target: Descriptor | None = None
    tag: str = ""
    from_repository: str = ""
    url: str = ""
    references: tuple[Descriptor, ...] = ()


class EventSink(Protocol):
    """Where the events of one endpoint go. A plugin in `registry_wsgi.event_sinks`.

    The factory's attribute `in_process` says whether it has to run in the process of the host application; others
    run in a process of their own. A sink is called by one thread, with one event after the other.
    """

    in_process: bool

    def send(self, event: Notification) -> str:
        """Hand over one event, and return what the endpoint said, such as `200 OK`, to be counted; empty for nothing.

        Raises DeliveryFailed; the event is then sent again, for as long as it takes.
        """

    def close(self) -> None: ...
