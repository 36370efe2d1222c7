"""Metrics as Prometheus reads them, written by prometheus-client."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from registry_wsgi.metrics import families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from prometheus_client import Metric

    from registry_wsgi.interfaces import WSGIApplication
    from registry_wsgi.metrics.families import Family
    from registry_wsgi.metrics.measurements import Series, Snapshot

_FAMILIES = (*families.MEASURED, *families.ASKED)


class _Collector:
    def __init__(self, gather: Callable[[], Snapshot]) -> None:
        self._gather = gather

    def collect(self) -> Iterator[Metric]:
        snapshot = self._gather()
        for family in _FAMILIES:
            yield _metric(
                family, {key[1:]: series for key, series in snapshot.items() if key[0] == family.name}.items()
            )


def create_exposition(gather: Callable[[], Snapshot]) -> WSGIApplication:
    """Return an application that answers with what `gather` returns, in the format that is asked for."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(gather))

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        encode, content_type = exposition.choose_encoder(environ.get("HTTP_ACCEPT", ""))
        body = encode(registry)
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        start_response("200 OK", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return answer


def _metric(family: Family, rows: Iterable[tuple[tuple[str, ...], Series]]) -> Metric:
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for labels, (sum_, *buckets) in rows:
            bounds = [*map(floatToGoString, family.bounds), "+Inf"]
            cumulated = zip(bounds, itertools.accumulate(buckets), strict=True)
            histogram.add_metric(labels, buckets=list(cumulated), sum_value=sum_)
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for labels, (value,) in rows:
        metric.add_metric(labels, value)
    return metric
