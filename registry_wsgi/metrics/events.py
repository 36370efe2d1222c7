"""The statistics of an outbox as metrics, in registry:3's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.errors import Unavailable
from registry_wsgi.metrics.families import EVENTS, PENDING, STATUSES

if TYPE_CHECKING:
    from registry_wsgi.interfaces import EndpointStatistics, Outbox
    from registry_wsgi.metrics.measurements import Key, Series, Snapshot


def measured(outbox: Outbox) -> Snapshot:
    """Return the numbers of all endpoints, none while the outbox cannot be reached."""
    try:
        statistics = outbox.statistics()
    except Unavailable:
        return {}
    snapshot: dict[Key, Series] = {}
    for endpoint, numbers in statistics.items():
        snapshot |= _of(endpoint, numbers)
    return snapshot


def _of(endpoint: str, numbers: EndpointStatistics) -> dict[Key, Series]:
    events = {
        "Events": numbers.pending + numbers.sent + numbers.dropped,
        "Successes": numbers.sent,
        "Dropped": numbers.dropped,
        "Failures": numbers.failures,
        "Errors": numbers.errors,
    }
    series: dict[Key, Series] = {(EVENTS.name, kind, endpoint): [float(count)] for kind, count in events.items()}
    series |= {(STATUSES.name, code, endpoint): [float(count)] for code, count in numbers.statuses.items()}
    return series | {(PENDING.name, endpoint): [float(numbers.pending)]}
