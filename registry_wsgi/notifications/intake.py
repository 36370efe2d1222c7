"""How events get into the outbox: a write's before it is acknowledged, pulls in batches soon after.

Requests that write at the same time share one commit, and so one flush of the disk: whoever comes first commits for
all that wait (group commit). Pulls that were noted before go with it, so that the order is that of the requests.
"""

from __future__ import annotations

import logging
import multiprocessing.util
import os
import threading
import time
import uuid
import weakref
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from registry_wsgi.errors import Unavailable
from registry_wsgi.interfaces import EndpointStatistics, EventSource, Parcel
from registry_wsgi.notifications.records import MOST_TOGETHER, Batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.context import Context, Event
    from registry_wsgi.interfaces import Outbox
    from registry_wsgi.notifications.records import Client

    Noted = tuple[int, str, Client, Sequence[Event]]
    """What `Batch.note` takes: of a request that succeeded when it did, its id, who sent it, and what it did."""

PULL_SECONDS = 0.2
"""How long pull events wait in memory at most, while the outbox can take them: what a crash may lose of them."""
MOST_BATCHES = 20
"""The most batches of pull events that wait in the memory of a process; more events are dropped, and counted."""
_PROXIED = "werkzeug.proxy_fix.orig"

_logger = logging.getLogger("registry_wsgi")


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


class Intake:
    """Takes the events of requests that succeeded into `outbox`, for each of the endpoints that want them.

    `addr` names this registry in events, `root` is what URLs in them begin with, by default what the client used.
    """

    def __init__(
        self, outbox: Outbox, interests: Sequence[Interest], *, addr: str, root: str = "", references: bool = False
    ) -> None:
        self._outbox = outbox
        self._interests = interests
        self._addr = addr
        self._root = root.rstrip("/")
        self._references = references
        self._ignored = frozenset.intersection(*(each.ignored_actions for each in interests))
        self._begin()
        os.register_at_fork(after_in_child=partial(_begin_again, weakref.ref(self)))

    def _begin(self) -> None:
        """Begin with nothing, in this process: a server may fork after the application was made."""
        self._source = EventSource(self._addr, str(uuid.uuid4()))
        self._pulls = [Batch()]
        self._writes: deque[_Write] = deque()
        self._noting, self._committing = threading.Lock(), threading.Lock()
        self._noted, self._many, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._flusher: threading.Thread | None = None
        self._dropped = 0

    def take(self, ctx: Context, environ: WSGIEnvironment) -> None:
        """Keep the events of a request: those of a write durably, before this returns. Raises Unavailable."""
        events = ctx.events
        if self._ignored and all(event.action in self._ignored for event in events):
            return
        get = environ.get
        client = (
            ctx.user,
            get("REMOTE_ADDR", ""),
            # Behind a proxy that is believed the port is the proxy's own.
            "" if _PROXIED in environ else get("REMOTE_PORT", ""),
            get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}",
            environ["REQUEST_METHOD"],
            get("HTTP_USER_AGENT", ""),
            environ["wsgi.url_scheme"],
            get("SCRIPT_NAME", ""),
        )
        noted = (time.time_ns(), ctx.id, client, events)
        for event in events:
            if event.action != "pull":
                self._take_write(noted)
                return
        self._take_pulls(noted)

    def _take_pulls(self, noted: Noted) -> None:
        with self._noting:
            batch = self._pulls[-1]
            if len(batch) >= MOST_TOGETHER:
                if len(self._pulls) >= MOST_BATCHES // 2:
                    self._many.set()
                if len(self._pulls) == MOST_BATCHES:
                    self._dropped += len(noted[-1])
                    return
                batch = Batch()
                self._pulls.append(batch)
            batch.note(*noted)
        if not self._noted.is_set():
            self._noted.set()
            if self._flusher is None:
                self._start_flusher()

    def _take_write(self, noted: Noted) -> None:
        write = _Write(noted)
        self._writes.append(write)
        with self._committing:
            # Another request may have committed this one with its own while this one waited.
            while not write.done:
                self._commit()
        if not write.kept:
            raise Unavailable("the outbox takes no events; the log says why")

    def close(self) -> None:
        """Keep what waits in memory, for the process ends."""
        self._ended.set()
        self._noted.set()
        self._many.set()
        self.flush()

    def flush(self) -> None:
        """Put all that waits into the outbox, and not what comes meanwhile: under load that would never end."""
        with self._committing:
            if self._writes or len(self._pulls[-1]):
                self._commit()

    def _start_flusher(self) -> None:
        with self._noting:
            if self._flusher is None:
                self._flusher = threading.Thread(target=self._flush_often, daemon=True, name="events")
                self._flusher.start()
                # Servers end their workers in several ways, and this comes with most of them.
                multiprocessing.util.Finalize(None, self.close, exitpriority=10)

    def _flush_often(self) -> None:
        while not self._ended.is_set():
            self._noted.wait()
            self._many.wait(PULL_SECONDS)
            self._noted.clear()
            self._many.clear()
            self.flush()

    def _commit(self) -> None:
        """Put what waits into the outbox, in its order; the lock is held."""
        with self._noting:
            pulls, self._pulls = self._pulls, [Batch()]
            dropped, self._dropped = self._dropped, 0
        writes = [self._writes.popleft() for _ in range(len(self._writes))]
        try:
            written = Batch()
            for write in writes:
                written.note(*write.noted)
            droppable = [parcel for batch in pulls for parcel in self._parcels(batch, droppable=True)]
            dropped += self._put(droppable, self._parcels(written), writes)
        finally:
            for write in writes:
                write.done = True
        if dropped:
            self._count_dropped(dropped)

    def _put(self, droppable: Sequence[Parcel], parcels: Sequence[Parcel], writes: Sequence[_Write]) -> int:
        """Return how many pull events could not be kept."""
        try:
            self._outbox.put([*droppable, *parcels])
            for write in writes:
                write.kept = True
        except Unavailable as error:
            _logger.error("the outbox takes no events", extra={"fields": {"outbox.error": error.detail}})
            try:
                self._outbox.put(droppable)  # a write may be what found no room
            except Unavailable:
                return sum(parcel.count for parcel in droppable if parcel.endpoint == droppable[0].endpoint)
        return 0

    def _count_dropped(self, dropped: int) -> None:
        try:
            for interest in self._interests:
                if "pull" not in interest.ignored_actions:
                    self._outbox.count(interest.endpoint, EndpointStatistics(dropped=dropped))
        except Unavailable:
            with self._noting:  # it is counted when the outbox is there again
                self._dropped += dropped

    def _parcels(self, batch: Batch, *, droppable: bool = False) -> list[Parcel]:
        parcels = []
        for interest in self._interests if len(batch) else ():
            count, content = batch.packed(self._source, interest.wants, root=self._root, references=self._references)
            if count:
                parcels.append(Parcel(interest.endpoint, count, content, droppable))
        return parcels


def _begin_again(reference: weakref.ref[Intake]) -> None:
    intake = reference()
    if intake is not None:
        intake._begin()


class _Write:
    """The events of a request that waits for them to be kept."""

    __slots__ = ("done", "kept", "noted")

    def __init__(self, noted: Noted) -> None:
        self.noted = noted
        self.done = False
        self.kept = False
