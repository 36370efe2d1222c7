"""Where spans go, and how one finds its parent: by the W3C `traceparent` that a Context has, in whatever thread."""

from __future__ import annotations

import multiprocessing.util
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from registry_wsgi_opentelemetry._version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context as Parent

_propagator = TraceContextTextMapPropagator()

tracer = trace.get_tracer("registry_wsgi", __version__)
"""Makes the spans of whichever provider the process has, also of one that is set later."""


def parent_of(headers: Mapping[str, str]) -> Parent:
    """Return the parent that `traceparent` and `tracestate` name; none, where they are absent or wrong."""
    return _propagator.extract(dict(headers))


def traceparent_of(span: trace.Span) -> str:
    """Return the header by which others find the span as their parent (W3C Trace Context §3.2)."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent", "")


_ours: list[TracerProvider] = []


def export(service: str, endpoint: str | None, headers: Mapping[str, str] | None, ratio: float) -> None:
    """Export this process's spans, unless the application that the registry is mounted in exports them already."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        resource = Resource.create({SERVICE_NAME: service})
        provider = TracerProvider(resource=resource, sampler=ParentBasedTraceIdRatio(ratio))
        exporter = OTLPSpanExporter(endpoint, headers=dict(headers or {}) or None)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        _ours.append(provider)
    # The workers of `registry-wsgi serve` inherit the provider and none of its exit handlers, and end without running
    # those of atexit.
    for provider in _ours:
        multiprocessing.util.Finalize(None, provider.shutdown, exitpriority=0)
