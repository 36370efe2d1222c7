"""Which endpoint gets which events, and the parcels that they are kept in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry_wsgi.interfaces import EndpointStatistics, EventSource, Parcel
from registry_wsgi.notifications.records import MOST_TOGETHER, Batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry_wsgi.context import Event
    from registry_wsgi.interfaces import Outbox
    from registry_wsgi.notifications.records import Noted


@dataclass(frozen=True, slots=True)
class Interest:
    """Which events an endpoint gets: all but those of these actions, and of targets of these media types."""

    endpoint: str
    ignored_actions: frozenset[str] = frozenset()
    ignored_media_types: frozenset[str] = frozenset()

    def wants(self, event: Event) -> bool:
        if event.action in self.ignored_actions:
            return False
        # Of what is deleted only the digest is told, and no media type that could be ignored.
        described = None if event.action == "delete" else event.descriptor
        return described is None or described.media_type not in self.ignored_media_types


class Packing:
    """Makes parcels for the endpoints, in one process, which events name by an id of its own.

    `addr` names this registry in events, `root` is what URLs in them begin with, by default what the client used.
    """

    def __init__(self, interests: Sequence[Interest], *, addr: str, root: str = "", references: bool = False) -> None:
        self._interests = interests
        self._source = EventSource(addr, str(uuid.uuid4()))
        self._root = root.rstrip("/")
        self._references = references
        self.ignored_actions = frozenset.intersection(*(each.ignored_actions for each in interests))

    def parcels(self, noted: Sequence[Noted], *, droppable: bool = False) -> list[Parcel]:
        """Return the events of these requests, in their order, for each endpoint that wants any."""
        parcels = []
        for start in range(0, len(noted), MOST_TOGETHER):
            batch = Batch(noted[start : start + MOST_TOGETHER])
            for each in self._interests:
                count, content = batch.packed(self._source, each.wants, root=self._root, references=self._references)
                if count:
                    parcels.append(Parcel(each.endpoint, count, content, droppable))
        return parcels

    def count_dropped(self, outbox: Outbox, pulls: int) -> None:
        """Count pull events that were left out, for the endpoints that want such. Raises Unavailable."""
        for interest in self._interests:
            if "pull" not in interest.ignored_actions:
                outbox.count(interest.endpoint, EndpointStatistics(dropped=pulls))
