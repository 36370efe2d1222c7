"""The outermost layer: gives each request its Context, logs its end, and answers what nobody else could."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any

from registry_wsgi.api.respond import API_VERSION, envelope, status_line
from registry_wsgi.context import ENVIRON_KEY, Context, logger
from registry_wsgi.errors import RegistryError
from registry_wsgi.logs import ACCESS_LOGGER
from registry_wsgi.middleware.closing import after
from registry_wsgi.middleware.compose import Stage
from registry_wsgi.routes import parse_route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication

_access = logging.getLogger(ACCESS_LOGGER)


class TracingLayer:
    """Makes the Context, and writes "response completed" and the access log when the body has been sent.

    `fields` go onto every log line.
    """

    stage = Stage.CONTEXT

    def __init__(self, app: WSGIApplication, *, fields: Mapping[str, object] | None = None) -> None:
        self._app = app
        self._fields = dict(fields or {})

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        ctx = environ[ENVIRON_KEY] = Context(parse_route(environ["PATH_INFO"]), self._describe, environ)
        # Nothing is remembered of an answer that no line will tell of: it would be a tenth of this layer's
        # and the cache's time together.
        if not (logger.isEnabledFor(logging.INFO) or _access.isEnabledFor(logging.INFO)):
            return self._answer(ctx, environ, start_response)
        started = _Started(start_response)
        body = self._answer(ctx, environ, started)
        return after(body, lambda: self._completed(ctx, environ, started))

    def _answer(self, ctx: Context, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return self._app(environ, start_response)
        except Exception:
            logger.critical("a request failed", exc_info=True, extra={"fields": self._describe(ctx, environ)})
            return _internal_error(start_response)

    def _completed(self, ctx: Context, environ: WSGIEnvironment, started: _Started) -> None:
        code = int(started.status[:3] or 0)
        if 200 <= code < 400:
            ctx.info(
                "response completed",
                **{
                    "http.response.status": code,
                    "http.response.written": started.length,
                    "http.response.contenttype": started.header("content-type"),
                    "http.response.duration": f"{time.monotonic() - ctx.started:.6f}s",
                },
            )
        if _access.isEnabledFor(logging.INFO):
            _access.info(_combined(ctx, environ, started))

    def _describe(self, ctx: Context, environ: Mapping[str, Any]) -> dict[str, object]:
        """Return what every log line of a request says: the configured fields, the request, the route, the user."""
        described: dict[str, object] = {
            **self._fields,
            "http.request.id": ctx.id,
            "http.request.method": environ["REQUEST_METHOD"],
            "http.request.host": environ.get("HTTP_HOST", ""),
            "http.request.uri": _uri(environ),
            "http.request.remoteaddr": environ.get("REMOTE_ADDR", ""),
            "http.request.useragent": environ.get("HTTP_USER_AGENT", ""),
        }
        trace = ctx.traceparent
        optional = {
            "trace_id": trace and trace.trace_id,
            "span_id": trace and trace.span_id,
            "http.request.referer": environ.get("HTTP_REFERER"),
            "http.request.contenttype": environ.get("CONTENT_TYPE"),
            "vars.name": ctx.route.name,
            "vars.argument": ctx.route.argument,
            "auth.user.name": ctx.user,
        }
        return described | {key: value for key, value in optional.items() if value}


class _Started:
    """A start_response that remembers what it was called with."""

    __slots__ = ("_start_response", "headers", "status")

    def __init__(self, start_response: StartResponse) -> None:
        self._start_response = start_response
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        self.status, self.headers = status, headers
        # Not every server's start_response takes a third argument that is None.
        return self._start_response(status, headers, exc_info) if exc_info else self._start_response(status, headers)

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def length(self) -> str:
        return self.header("content-length") or "0"


def _internal_error(start_response: StartResponse) -> Iterable[bytes]:
    """Answer in the place of what was begun; a server that has sent that already raises the error (PEP 3333)."""
    status, headers, body = envelope(RegistryError())
    start_response(status_line(status), [*headers.items(), API_VERSION], sys.exc_info())
    return [body]


def _uri(environ: Mapping[str, Any]) -> str:
    query = environ.get("QUERY_STRING", "")
    return f"{environ.get('SCRIPT_NAME', '')}{environ['PATH_INFO']}{'?' if query else ''}{query}"


def _combined(ctx: Context, environ: WSGIEnvironment, started: _Started) -> str:
    """Return a line of Apache's combined log format."""
    now = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    request = f"{environ['REQUEST_METHOD']} {_uri(environ)} {environ.get('SERVER_PROTOCOL', '')}"
    referer, agent = environ.get("HTTP_REFERER", ""), environ.get("HTTP_USER_AGENT", "")
    address, user = environ.get("REMOTE_ADDR") or "-", ctx.user or "-"
    quoted = [_quoted(text) for text in (request, referer, agent)]
    return f"{address} - {user} [{now}] {quoted[0]} {started.status[:3]} {started.length} {quoted[1]} {quoted[2]}"


def _quoted(text: str) -> str:
    """Return the text in quotes; what could break out of a log line is escaped."""
    return '"' + text.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'
