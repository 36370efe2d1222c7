"""The outermost layer: gives each request its Context, logs its end, and answers what nobody else could."""

from __future__ import annotations

import logging
import sys
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from registry_wsgi import logs
from registry_wsgi.api.respond import API_VERSION, envelope, status_line
from registry_wsgi.context import ENVIRON_KEY, Context, logger
from registry_wsgi.errors import RegistryError
from registry_wsgi.middleware.closing import after
from registry_wsgi.middleware.compose import Stage
from registry_wsgi.middleware.started import Started
from registry_wsgi.routes import parse_route

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication

_access = logging.getLogger(logs.ACCESS_LOGGER)

_LONGEST_REMEMBERED = 512
"""Characters of what a client sends into a log line: docker's own are shorter."""


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
        started = Started(start_response)
        body = self._answer(ctx, environ, started)
        return after(body, lambda: self._completed(ctx, environ, started))

    def _answer(self, ctx: Context, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return self._app(environ, start_response)
        except Exception:
            logger.critical("a request failed", exc_info=True, extra={"fields": self._describe(ctx, environ)})
            return _internal_error(start_response)

    def _completed(self, ctx: Context, environ: WSGIEnvironment, started: Started) -> None:
        code, written = int(started.status[:3] or 0), started.header("content-length") or "0"
        if 200 <= code < 400:
            ctx.info(
                "response completed",
                **{
                    "http.response.contenttype": started.header("content-type"),
                    "http.response.duration": f"{time.monotonic() - ctx.started:.6f}s",
                    "http.response.status": code,
                    "http.response.written": written,
                },
            )
        if _access.isEnabledFor(logging.INFO):
            logs.log(_access, logging.INFO, _combined(ctx, environ, started.status, written), {}, callers=1)

    def _describe(self, ctx: Context, environ: Mapping[str, Any]) -> dict[str, object]:
        """Return what every log line of a request says: the configured fields, the request, the route, the user."""
        described: dict[str, object] = {
            **self._fields,
            "http.request.host": environ.get("HTTP_HOST", ""),
            "http.request.id": ctx.id,
            "http.request.method": environ["REQUEST_METHOD"],
            "http.request.remoteaddr": environ.get("REMOTE_ADDR", ""),
            "http.request.uri": _uri(environ),
            "http.request.useragent": environ.get("HTTP_USER_AGENT", ""),
        }
        for key, value in (
            ("auth.user.name", ctx.user),
            ("http.request.contenttype", environ.get("CONTENT_TYPE")),
            ("http.request.referer", environ.get("HTTP_REFERER")),
            ("vars.argument", ctx.route.argument),
            ("vars.name", ctx.route.name),
        ):
            if value:
                described[key] = value
        if trace := ctx.traceparent:
            described |= {"trace_id": trace.trace_id, "span_id": trace.span_id}
        return described


def _internal_error(start_response: StartResponse) -> Iterable[bytes]:
    """Answer in the place of what was begun; a server that has sent that already raises the error (PEP 3333)."""
    status, headers, body = envelope(RegistryError())
    start_response(status_line(status), [*headers.items(), API_VERSION], sys.exc_info())
    return [body]


def _uri(environ: Mapping[str, Any]) -> str:
    query = environ.get("QUERY_STRING", "")
    return f"{environ.get('SCRIPT_NAME', '')}{environ['PATH_INFO']}{'?' if query else ''}{query}"


def _combined(ctx: Context, environ: WSGIEnvironment, status: str, length: str) -> str:
    """Return a line of Apache's combined log format."""
    request = f"{environ['REQUEST_METHOD']} {_uri(environ)} {environ.get('SERVER_PROTOCOL', '')}"
    referer, agent = environ.get("HTTP_REFERER", ""), environ.get("HTTP_USER_AGENT", "")
    return (
        f"{environ.get('REMOTE_ADDR') or '-'} - {ctx.user or '-'} [{_clock(int(time.time()))}] "
        f"{_quoted(request)} {status[:3]} {length} {_quoted(referer)} {_quoted(agent)}"
    )


@lru_cache(1)
def _clock(seconds: int) -> str:
    """Return Apache's form of seconds since the epoch, which is the same for all the requests of one."""
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(seconds))


def _quoted(text: str) -> str:
    """Return the text in quotes; what could break out of a log line is escaped."""
    return _remembered(text) if len(text) <= _LONGEST_REMEMBERED else _escaped(text)


def _escaped(text: str) -> str:
    return '"' + text.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'


# Programs ask for the same again and again, and call themselves the same always: 0.1 µs instead of 0.7.
_remembered = lru_cache(2048)(_escaped)
