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
from collections import deque
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from registry_wsgi.errors import Unavailable
from registry_wsgi.interfaces import EndpointStatistics, EventSource, Parcel
from registry_wsgi.notifications import records
from registry_wsgi.notifications.records import Noted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.context import Context, Event
    from registry_wsgi.interfaces import Outbox

PULL_SECONDS = 0.2
"""How long pull events wait in memory at most, while the outbox can take them: what a crash may lose of them."""
PULLS_TOGETHER = 500
"""So many pull events do not wait."""
MOST_WAITING = 20_000
"""The most pull events of a process that wait in memory; more are dropped, and counted."""
_MOST_TOGETHER = 1000
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
        told = event.descriptor is not None and event.action != "delete"
        return not (told and event.descriptor.media_type in self.ignored_media_types)  # type: ignore[union-attr]


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

    def _begin(self) -> None:
        """Begin anew, in this process: a server may fork after the application was made."""
        self._process = os.getpid()
        self._source = EventSource(self._addr, str(uuid.uuid4()))
        self._waiting: deque[Noted | _Write] = deque()
        self._committing = threading.Lock()
        self._noted, self._many, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._starting = threading.Lock()
        self._flusher: threading.Thread | None = None
        self._dropped = 0

    def take(self, ctx: Context, environ: WSGIEnvironment) -> None:
        """Keep the events of a request: those of a write durably, before this returns. Raises Unavailable."""
        if self._process != os.getpid():
            self._begin()
        events = ctx.events
        get = environ.get
        noted = Noted(
            time.time_ns(),
            events,
            ctx.id,
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
        for event in events:
            if event.action != "pull":
                self._take_write(noted)
                return
        self._take_pull(noted)

    def wants(self, events: Sequence[Event]) -> bool:
        """Tell whether any endpoint may want any of the events, by their actions alone."""
        return not self._ignored or any(event.action not in self._ignored for event in events)

    def _take_pull(self, noted: Noted) -> None:
        waiting = len(self._waiting)
        if waiting >= MOST_WAITING:
            self._dropped += len(noted.events)
            return
        self._waiting.append(noted)
        if not self._noted.is_set():
            self._noted.set()
            if self._flusher is None:
                self._start_flusher()
        if waiting == PULLS_TOGETHER:
            self._many.set()

    def _take_write(self, noted: Noted) -> None:
        write = _Write(noted)
        self._waiting.append(write)
        with self._committing:
            # Another request may have committed this one with its own while this one waited.
            while not write.done:
                self._commit()
        if not write.kept:
            raise Unavailable("the events of the request cannot be kept; the registry's log says why")

    def close(self) -> None:
        """Keep what waits in memory, for the process ends."""
        if self._process == os.getpid():
            self._ended.set()
            self._noted.set()
            self._many.set()
            self.flush()

    def flush(self) -> None:
        """Put all that waits into the outbox."""
        with self._committing:
            while self._waiting:
                self._commit()

    def _start_flusher(self) -> None:
        with self._starting:
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
        together = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_TOGETHER))]
        writes = [each for each in together if isinstance(each, _Write)]
        parcels = self._parcels(together)
        try:
            self._outbox.put(parcels)
            for write in writes:
                write.kept = True
        except Unavailable as error:
            _logger.error("the outbox takes no events", extra={"fields": {"outbox.error": error.detail}})
            self._put_pulls([parcel for parcel in parcels if parcel.droppable])
        finally:
            for write in writes:
                write.done = True
        self._count_dropped()

    def _put_pulls(self, parcels: Sequence[Parcel]) -> None:
        try:
            self._outbox.put(parcels)
        except Unavailable:
            self._dropped += max((parcel.count for parcel in parcels), default=0)

    def _count_dropped(self) -> None:
        if not self._dropped:
            return
        try:
            for interest in self._interests:
                if "pull" not in interest.ignored_actions:
                    self._outbox.count(interest.endpoint, EndpointStatistics(dropped=self._dropped))
        except Unavailable:
            return  # it is counted when the outbox is there again
        self._dropped = 0

    def _parcels(self, together: Sequence[Noted | _Write]) -> list[Parcel]:
        """Return, for each run of pulls or of writes, what each endpoint wants of it."""
        batch, number = records.new_batch(), 0
        parcels = []
        for droppable, run in groupby(together, lambda each: not isinstance(each, _Write)):
            made: list[tuple[Event, records.Record]] = []
            for each in run:
                noted = each.noted if isinstance(each, _Write) else each
                made += records.records(noted, number, root=self._root, references=self._references)
                number += len(noted.events)
            for interest in self._interests:
                wanted = [record for event, record in made if interest.wants(event)]
                if wanted:
                    content = records.pack(batch, self._source, wanted)
                    parcels.append(Parcel(interest.endpoint, len(wanted), content, droppable))
        return parcels


class _Write:
    """The events of a request that waits for them to be kept."""

    __slots__ = ("done", "kept", "noted")

    def __init__(self, noted: Noted) -> None:
        self.noted = noted
        self.done = False
        self.kept = False
