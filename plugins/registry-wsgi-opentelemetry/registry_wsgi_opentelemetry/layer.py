"""A span for each request, from its head to the last byte of its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, Status, StatusCode

from registry_wsgi.context import ENVIRON_KEY
from registry_wsgi.errors import ConfigurationError
from registry_wsgi.middleware.closing import after
from registry_wsgi.middleware.compose import Stage
from registry_wsgi.routes import Resource
from registry_wsgi_opentelemetry import spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from opentelemetry.trace import Span

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import WSGIApplication

_ROUTES = {
    Resource.BASE: "/v2/",
    Resource.BLOB: "/v2/{name}/blobs/{digest}",
    Resource.MANIFEST: "/v2/{name}/manifests/{reference}",
    Resource.UPLOADS: "/v2/{name}/blobs/uploads/",
    Resource.UPLOAD: "/v2/{name}/blobs/uploads/{id}",
    Resource.TAGS: "/v2/{name}/tags/list",
    Resource.REFERRERS: "/v2/{name}/referrers/{digest}",
    Resource.CATALOG: "/v2/_catalog",
}


class OpenTelemetryLayer:
    """The layer `opentelemetry`. Its span's parent is the `traceparent` of the request, if it has one.

    `endpoint` is the URL that takes OTLP over HTTP, such as `http://127.0.0.1:4318/v1/traces`, and `headers` what it
    wants besides; without them the OTEL_EXPORTER_OTLP_* variables count. Of traces that begin here the part `ratio` is
    kept. Where the process exports spans already, because the application around the registry does, these go there.
    """

    stage = Stage.OBSERVE

    def __init__(
        self,
        app: WSGIApplication,
        *,
        service: str = "registry-wsgi",
        endpoint: str | None = None,
        headers: Mapping[str, str] | None = None,
        ratio: float = 1.0,
    ) -> None:
        if not 0 <= ratio <= 1:
            raise ConfigurationError(f"ratio must be from 0 to 1, not {ratio}")
        spans.export(service, endpoint, headers, ratio)
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        ctx: Context = environ[ENVIRON_KEY]
        method, route = environ["REQUEST_METHOD"], _ROUTES.get(ctx.route.resource, "")
        given = {name: environ[key] for name, key in _HEADERS.items() if key in environ}
        span = spans.tracer.start_span(
            f"{method} {route}".rstrip(), spans.parent_of(given), SpanKind.SERVER, _attributes(environ, route, ctx)
        )
        # What is inside, the driver's calls in whatever thread, finds its parent in the Context.
        environ["HTTP_TRACEPARENT"] = spans.traceparent_of(span)

        def started(
            status: str, answered: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            _note_status(span, int(status[:3]))
            return start_response(status, answered, exc_info) if exc_info else start_response(status, answered)

        try:
            body = self._app(environ, started)
        except BaseException as error:
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR))
            span.end()
            raise
        return after(body, lambda: _end(span, ctx))


_HEADERS = {"traceparent": "HTTP_TRACEPARENT", "tracestate": "HTTP_TRACESTATE"}


def _attributes(environ: WSGIEnvironment, route: str, ctx: Context) -> dict[str, str]:
    """Return what is known at the beginning, in the words of OpenTelemetry's conventions for HTTP servers."""
    known = {
        "http.request.method": environ["REQUEST_METHOD"],
        "http.route": route,
        "url.path": environ["PATH_INFO"],
        "url.scheme": environ["wsgi.url_scheme"],
        "server.address": environ.get("HTTP_HOST"),
        "client.address": environ.get("REMOTE_ADDR"),
        "user_agent.original": environ.get("HTTP_USER_AGENT"),
        "registry.repository": ctx.route.name,
    }
    return {name: value for name, value in known.items() if value}


def _note_status(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 500:  # A client's mistakes are no errors of a server's span.
        span.set_status(Status(StatusCode.ERROR))


def _end(span: Span, ctx: Context) -> None:
    if ctx.user:
        span.set_attribute("user.name", ctx.user)
    span.end()
