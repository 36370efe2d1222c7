"""How events get into the outbox: a write's before it is acknowledged, pulls in batches soon after.

Requests that write at the same time share one commit, and so one flush of the disk: whoever comes first commits for
all that wait (group commit). Pulls that were noted before go with it, so that the order is that of the requests.
"""

from __future__ import annotations

import logging
import multiprocessing.util
import os
import threading
import weakref
from collections import deque
from functools import partial
from time import time_ns
from typing import TYPE_CHECKING, Final

from registry_wsgi.errors import Unavailable
from registry_wsgi.notifications.records import CLIENT, CLIENT_BEHIND_PROXY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import Outbox, Parcel
    from registry_wsgi.notifications.packing import Packing
    from registry_wsgi.notifications.records import Noted

PULL_SECONDS: Final = 0.2
"""How long pull events wait in memory at most, while the outbox can take them: what a crash may lose of them."""
MOST_PULLS: Final = 20_000
"""The most requests with pull events that wait in the memory of a process; those of more are dropped, and counted."""
_PROXIED: Final = "werkzeug.proxy_fix.orig"

_logger = logging.getLogger("registry_wsgi")


class Intake:
    """Takes the events of requests that succeeded into `outbox`, as `packing` makes parcels of them in a process."""

    def __init__(self, outbox: Outbox, packing: Callable[[], Packing]) -> None:
        self._outbox = outbox
        self._new_packing = packing
        self._begin()
        os.register_at_fork(after_in_child=partial(_begin_again, weakref.ref(self)))

    def _begin(self) -> None:
        """Begin with nothing, in this process: a server may fork after the application was made."""
        self._packing = self._new_packing()
        self._ignored = self._packing.ignored_actions
        self._pulls: deque[Noted] = deque()
        self._writes: deque[_Write] = deque()
        self._starting, self._committing, self._dropping = threading.Lock(), threading.Lock(), threading.Lock()
        self._noted, self._many, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._awake = False
        self._flusher: threading.Thread | None = None
        self._dropped = 0

    def take(self, ctx: Context, environ: WSGIEnvironment) -> None:
        """Keep the events of a request: those of a write durably, before this returns. Raises Unavailable.

        Of a pull as little is done here as can be: beside all else that a request takes, each step costs a multiple of
        what it costs in the loop of who commits. A deque needs no lock.
        """
        events = ctx.events
        if self._ignored and all(event.action in self._ignored for event in events):
            return
        keys = CLIENT_BEHIND_PROXY if _PROXIED in environ else CLIENT
        noted = (time_ns(), ctx.number, ctx.user, tuple(map(environ.get, keys)), events)
        for event in events:
            if event.action != "pull":
                self._take_write(noted)
                return
        waiting = len(self._pulls)
        if waiting >= MOST_PULLS:
            self._drop(len(events))
            return
        self._pulls.append(noted)
        # After the event is there: who commits says so before it looks.
        if not self._awake or waiting == MOST_PULLS // 2:
            self._wake(many=waiting > 0)

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
            if self._writes or self._pulls or self._dropped:
                self._commit()

    def _wake(self, *, many: bool) -> None:
        """Have pulls committed soon, or at once where they are many."""
        self._awake = True
        self._noted.set()
        if many:
            self._many.set()
        if self._flusher is None:
            self._start_flusher()

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
            self._awake = False
            self.flush()

    def _commit(self) -> None:
        """Put what waits into the outbox, in its order; the lock is held."""
        pulls = [self._pulls.popleft() for _ in range(len(self._pulls))]
        writes = [self._writes.popleft() for _ in range(len(self._writes))]
        try:
            droppable = self._packing.parcels(pulls, droppable=True)
            self._put(droppable, self._packing.parcels([write.noted for write in writes]), writes)
        finally:
            for write in writes:
                write.done = True
        if self._dropped:
            self._count_dropped()

    def _put(self, droppable: Sequence[Parcel], parcels: Sequence[Parcel], writes: Sequence[_Write]) -> None:
        """Put all of the parcels or, where that cannot be, those of the pulls: a write may be what found no room."""
        try:
            self._outbox.put([*droppable, *parcels])
            for write in writes:
                write.kept = True
        except Unavailable as error:
            _logger.error("the outbox takes no events", extra={"fields": {"outbox.error": error.detail}})
            try:
                self._outbox.put(droppable)
            except Unavailable:
                self._drop(sum(parcel.count for parcel in droppable if parcel.endpoint == droppable[0].endpoint))

    def _drop(self, count: int) -> None:
        with self._dropping:
            self._dropped += count

    def _count_dropped(self) -> None:
        """Tell the outbox what was dropped; where it cannot be told, later."""
        with self._dropping:
            dropped, self._dropped = self._dropped, 0
        try:
            self._packing.count_dropped(self._outbox, dropped)
        except Unavailable:
            self._drop(dropped)


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
