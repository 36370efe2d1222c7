"""Spans of registry-wsgi's requests and driver calls, for whatever speaks OTLP."""

from registry_wsgi_opentelemetry._version import __version__

__all__ = ["__version__"]
