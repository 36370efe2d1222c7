"""Delivering what is in an outbox: for each endpoint a thread, in order, each event until it is taken."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from registry_wsgi.errors import DeliveryFailed, Unavailable
from registry_wsgi.interfaces import EndpointStatistics
from registry_wsgi.notifications import records

if TYPE_CHECKING:
    import threading

    from registry_wsgi.interfaces import EventSink, Notification, Outbox, StoredParcel

_POLL_SECONDS = 0.1
_SETTLE_SECONDS = 0.2
"""How long it may take until it is noted what was delivered: a crash has the events of that time delivered again."""
_TOGETHER = 50
_LONGEST_PAUSE = 60.0

_logger = logging.getLogger("registry_wsgi")


@dataclass(slots=True)
class Breaker:
    """How long to wait after a failure, in seconds.

    At first only a moment, twice as long each time, and `backoff` when `threshold` attempts in a row have failed. From
    then on the endpoint is taken for down: the pauses go on to grow, up to a minute. Up to a half of each pause is left
    out at random, so that registries that share an endpoint do not all come back at once.
    """

    threshold: int
    backoff: float
    failures: int = 0

    @property
    def is_open(self) -> bool:
        return self.failures >= self.threshold

    def failed(self) -> float:
        """Return how long to wait before the next attempt."""
        self.failures += 1
        exponent = max(-64, min(64, self.failures - self.threshold))
        pause = min(self.backoff * 2.0**exponent, max(self.backoff, _LONGEST_PAUSE))
        return pause * random.uniform(0.5, 1)  # noqa: S311 - no secret

    def succeeded(self) -> None:
        self.failures = 0


class Delivery:
    """Delivers the events of one endpoint: at least once, in their order, however often it fails."""

    def __init__(self, outbox: Outbox, endpoint: str, sink: EventSink, breaker: Breaker) -> None:
        self._outbox = outbox
        self._endpoint = endpoint
        self._sink = sink
        self._breaker = breaker
        self._progress = _Progress()

    def run(self, stopping: threading.Event) -> None:
        """Deliver until `stopping` is set, and then no more than the event that is on its way."""
        try:
            while not stopping.is_set():
                try:
                    parcels = self._outbox.oldest(self._endpoint, _TOGETHER)
                    for parcel in parcels:
                        self._deliver(parcel, stopping)
                    self._settle()
                except Unavailable as error:
                    self._log(logging.ERROR, "the outbox cannot be read", error.detail)
                    stopping.wait(1)
                    continue
                if not parcels:
                    stopping.wait(_POLL_SECONDS)
        finally:
            self._sink.close()

    def _deliver(self, parcel: StoredParcel, stopping: threading.Event) -> None:
        try:
            events = records.unpack(parcel.content)[parcel.sent :]
        except ValueError as error:
            self._log(logging.ERROR, "events that cannot be read are left out", error)
            self._progress.counts.append(EndpointStatistics(dropped=parcel.count - parcel.sent))
            self._progress.sent(parcel, parcel.count)
            return
        for number, event in enumerate(events, parcel.sent + 1):
            while not stopping.is_set():
                pause = self._attempt(event)
                if pause is None:
                    self._progress.sent(parcel, number)
                    break
                self._settle()
                stopping.wait(pause)
            if stopping.is_set():
                return
            if self._progress.age > _SETTLE_SECONDS:
                self._settle()

    def _attempt(self, event: Notification) -> float | None:
        """Send the event, and return how long to wait before the next attempt: None if it was taken."""
        was_open = self._breaker.is_open
        try:
            status = self._sink.send(event)
        except Exception as error:
            pause = self._breaker.failed()
            self._count_failure(error)
            if self._breaker.is_open and not was_open:
                self._log(logging.WARNING, "an endpoint takes no events", error)
            return pause
        self._breaker.succeeded()
        if was_open:
            self._log(logging.INFO, "an endpoint takes events again", status)
        if status:
            self._progress.counts.append(EndpointStatistics(statuses={status: 1}))
        return None

    def _count_failure(self, error: Exception) -> None:
        status = error.status if isinstance(error, DeliveryFailed) else ""
        self._progress.counts.append(
            EndpointStatistics(
                failures=int(bool(status)),
                errors=int(not status),
                statuses={status: 1} if status else {},
                last_error=f"{error}" if isinstance(error, DeliveryFailed) else f"{type(error).__name__}: {error}",
            )
        )

    def _settle(self) -> None:
        progress, self._progress = self._progress, _Progress()
        if progress.parcel is not None:
            self._outbox.settle(self._endpoint, progress.parcel, progress.done)
        if progress.counts:
            self._outbox.count(self._endpoint, _sum(progress.counts))

    def _log(self, level: int, message: str, detail: object) -> None:
        fields = {"endpoint.name": self._endpoint, "endpoint.detail": str(detail)}
        _logger.log(level, message, extra={"fields": fields})


@dataclass(slots=True)
class _Progress:
    """What was delivered and counted, and is not yet in the outbox."""

    parcel: StoredParcel | None = None
    done: int = 0
    counts: list[EndpointStatistics] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def age(self) -> float:
        return time.monotonic() - self.began

    def sent(self, parcel: StoredParcel, number: int) -> None:
        self.parcel, self.done = parcel, number


def _sum(counts: list[EndpointStatistics]) -> EndpointStatistics:
    statuses: dict[str, int] = {}
    for each in counts:
        for status, number in each.statuses.items():
            statuses[status] = statuses.get(status, 0) + number
    return EndpointStatistics(
        dropped=sum(each.dropped for each in counts),
        failures=sum(each.failures for each in counts),
        errors=sum(each.errors for each in counts),
        statuses=statuses,
        last_error=next((each.last_error for each in reversed(counts) if each.last_error), ""),
    )
