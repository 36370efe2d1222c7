"""The outbox `inmemory`: for a host application that can do without what was not delivered when its process ended."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from registry_wsgi.errors import Unavailable
from registry_wsgi.interfaces import EndpointStatistics, StoredParcel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from registry_wsgi.interfaces import Parcel


@dataclass(slots=True)
class _Endpoint:
    parcels: deque[StoredParcel] = field(default_factory=deque)
    statistics: EndpointStatistics = field(default_factory=EndpointStatistics)


class InMemoryOutbox:
    """An Outbox of one process. Each endpoint may have `maxevents` waiting, of which half may be pull events."""

    def __init__(self, *, maxevents: int = 100_000) -> None:
        self._most = maxevents or 2**62
        self._endpoints: dict[str, _Endpoint] = {}
        self._next = 1
        self._lock = threading.RLock()
        self._claimed = threading.Lock()

    def put(self, parcels: Sequence[Parcel]) -> None:
        with self._lock:
            refused = [parcel for parcel in parcels if not (parcel.droppable or self._has_room(parcel, parcels))]
            if refused:
                raise Unavailable(f"{self._most} events wait for the endpoint {refused[0].endpoint}, and no more may")
            for parcel in parcels:
                self._put(parcel)

    def _has_room(self, parcel: Parcel, parcels: Sequence[Parcel]) -> bool:
        together = sum(each.count for each in parcels if each.endpoint == parcel.endpoint)
        return self._endpoint(parcel.endpoint).statistics.pending + together <= self._most

    def _put(self, parcel: Parcel) -> None:
        endpoint = self._endpoint(parcel.endpoint)
        pending = endpoint.statistics.pending + parcel.count
        if parcel.droppable and pending > self._most // 2:
            self.count(parcel.endpoint, EndpointStatistics(dropped=parcel.count))
            return
        endpoint.parcels.append(StoredParcel(self._next, parcel.count, parcel.content, 0))
        endpoint.statistics = replace(endpoint.statistics, pending=pending)
        self._next += 1

    def oldest(self, endpoint: str, limit: int) -> list[StoredParcel]:
        with self._lock:
            return list(self._endpoint(endpoint).parcels)[:limit]

    def settle(self, endpoint: str, parcel: StoredParcel, sent: int) -> None:
        with self._lock:
            known = self._endpoint(endpoint)
            delivered = 0
            while known.parcels and known.parcels[0].id <= parcel.id:
                first = known.parcels.popleft()
                done = first.count if first.id < parcel.id else max(first.sent, min(sent, first.count))
                delivered += done - first.sent
                if done < first.count:
                    known.parcels.appendleft(replace(first, sent=done))
                    break
            statistics = known.statistics
            known.statistics = replace(
                statistics, pending=statistics.pending - delivered, sent=statistics.sent + delivered
            )

    def count(self, endpoint: str, counts: EndpointStatistics) -> None:
        with self._lock:
            known = self._endpoint(endpoint)
            old = known.statistics
            statuses = {
                status: old.statuses.get(status, 0) + counts.statuses.get(status, 0)
                for status in {**old.statuses, **counts.statuses}
            }
            known.statistics = replace(
                old,
                dropped=old.dropped + counts.dropped,
                failures=old.failures + counts.failures,
                errors=old.errors + counts.errors,
                statuses=statuses,
                last_error=counts.last_error or old.last_error,
            )

    def statistics(self) -> Mapping[str, EndpointStatistics]:
        with self._lock:
            return {name: endpoint.statistics for name, endpoint in sorted(self._endpoints.items())}

    def forget(self, endpoint: str) -> int:
        with self._lock:
            known = self._endpoints.pop(endpoint, None)
            return known.statistics.pending if known else 0

    def claim(self) -> _Claim | None:
        return _Claim(self._claimed) if self._claimed.acquire(blocking=False) else None

    def close(self) -> None:
        """Nothing is open."""

    def _endpoint(self, name: str) -> _Endpoint:
        return self._endpoints.setdefault(name, _Endpoint())


class _Claim:
    files = ()

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def release(self) -> None:
        self._lock.release()
