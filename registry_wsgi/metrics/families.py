"""Every metric there is: its name, which is registry:3's where that has one, its labels and what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

# Those of docker/go-metrics, so that what was drawn of registry:2 and registry:3 can be drawn of this.
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0)
BYTES: Final = tuple(float(1024 << power) for power in range(22))


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with all of its labels. `bounds` are the upper ends of a histogram's buckets."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


REQUESTS: Final = Family("registry_http_requests_total", "counter", "Requests answered", ("handler", "method", "code"))
REQUEST_SECONDS: Final = Family(
    "registry_http_request_duration_seconds",
    "histogram",
    "Seconds from a request's first line to the last byte of its answer",
    ("handler", "method"),
    SECONDS,
)
REQUEST_BYTES: Final = Family(
    "registry_http_request_size_bytes", "histogram", "Bytes of bodies received", ("handler",), BYTES
)
RESPONSE_BYTES: Final = Family(
    "registry_http_response_size_bytes", "histogram", "Bytes of bodies sent", ("handler",), BYTES
)
IN_FLIGHT: Final = Family("registry_http_in_flight_requests", "gauge", "Requests being answered", ("handler",))
UPLOADS: Final = Family("registry_http_uploads_in_progress", "gauge", "Requests whose content is being received")
ACTION_SECONDS: Final = Family(
    "registry_storage_action_seconds",
    "histogram",
    "Seconds that calls of the storage driver took",
    ("driver", "action"),
    SECONDS,
)
CACHE_REQUESTS: Final = Family(
    "registry_storage_cache_requests_total", "counter", "Descriptors that the cache was asked for"
)
CACHE_HITS: Final = Family("registry_storage_cache_hits_total", "counter", "Descriptors that the cache had")
CACHE_MISSES: Final = Family("registry_storage_cache_misses_total", "counter", "Descriptors that the cache had not")
CACHE_ERRORS: Final = Family("registry_storage_cache_errors_total", "counter", "Times the cache could not be reached")
RESPONSE_HITS: Final = Family(
    "registry_http_response_cache_hits_total", "counter", "Requests answered with what was remembered"
)
RESPONSE_MISSES: Final = Family(
    "registry_http_response_cache_misses_total",
    "counter",
    "Requests whose answer could have been remembered, and was not",
)

MEASURED: Final = (
    REQUESTS,
    REQUEST_SECONDS,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    IN_FLIGHT,
    UPLOADS,
    ACTION_SECONDS,
    CACHE_REQUESTS,
    CACHE_HITS,
    CACHE_MISSES,
    CACHE_ERRORS,
    RESPONSE_HITS,
    RESPONSE_MISSES,
)
"""What each process measures for itself."""

EVENTS: Final = Family(
    "registry_notifications_events_total",
    "counter",
    "Events raised (Events), delivered (Successes), left out (Dropped); attempts refused (Failures), lost (Errors)",
    ("type", "endpoint"),
)
PENDING: Final = Family(
    "registry_notifications_pending_total", "gauge", "Events that wait to be delivered", ("endpoint",)
)
STATUSES: Final = Family(
    "registry_notifications_status_total", "counter", "Answers of an endpoint", ("code", "endpoint")
)
BUILD: Final = Family("registry_build_info", "gauge", "1, labelled with the version", ("version",))
WORKERS: Final = Family("registry_processes", "gauge", "Processes that serve")

ASKED: Final = (EVENTS, PENDING, STATUSES, BUILD, WORKERS)
"""What is asked for when somebody wants to know: it is the same in every process."""
