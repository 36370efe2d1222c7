"""The outbox: events kept until they are delivered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Parcel:
    """Some events of one endpoint in their order, as bytes that only their writer and reader understand.

    What is `droppable` may be left out, and counted, where the backlog is long.
    """

    endpoint: str
    count: int
    content: bytes
    droppable: bool = False


@dataclass(frozen=True, slots=True)
class StoredParcel:
    """A parcel in an outbox, of which the first `sent` events have been delivered. Ids grow."""

    id: int
    count: int
    content: bytes
    sent: int


@dataclass(frozen=True, slots=True)
class EndpointStatistics:
    """Numbers of events of one endpoint since its outbox was made, and of attempts to deliver them.

    `pending` wait, `sent` are delivered, `dropped` were left out. Of attempts, `failures` are those that the endpoint
    refused, `errors` those in which it could not be reached; `statuses` count its answers by their text.
    """

    pending: int = 0
    sent: int = 0
    dropped: int = 0
    failures: int = 0
    errors: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    last_error: str = ""


class DeliveryClaim(Protocol):
    """The right to deliver what is in an outbox; it ends with `release` and with the process."""

    @property
    def files(self) -> tuple[int, ...]:
        """The file descriptors by which a child process that inherits them has the claim too."""

    def release(self) -> None: ...


class Outbox(Protocol):
    """Events on their way to endpoints, shared by all processes that raise them.

    A plugin in `registry_wsgi.event_outboxes`. It may be used from several threads, and in a forked process. Methods
    raise Unavailable where it cannot be reached, or not written.
    """

    def put(self, parcels: Sequence[Parcel]) -> None:
        """Keep all of the parcels, behind those that are there: durable when it returns.

        Raises Unavailable where there is no room, and keeps none of them then. A droppable one is left out, and
        counted, where the endpoint has half as many events waiting as it may have.
        """

    def oldest(self, endpoint: str, limit: int) -> Sequence[StoredParcel]:
        """Return the first `limit` parcels of an endpoint, in the order in which they were put."""

    def settle(self, endpoint: str, parcel: StoredParcel, sent: int) -> None:
        """Note that the first `sent` events of the parcel have been delivered; one with no others is removed."""

    def count(self, endpoint: str, counts: EndpointStatistics) -> None:
        """Add to an endpoint's statistics what happened, pending and sent apart, which are known anyway."""

    def statistics(self) -> Mapping[str, EndpointStatistics]:
        """Return the statistics of each endpoint by its name."""

    def forget(self, endpoint: str) -> int:
        """Remove an endpoint with its statistics and all that waits for it, and return how many events those were."""

    def claim(self) -> DeliveryClaim | None:
        """Return the right to deliver, or None while another process has it."""

    def close(self) -> None: ...
