"""A registry that answers every read around the caching layer and twice through it, and fails where they differ.

gunicorn 'tests.bothways:create_app()'
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from registry_wsgi import app, config
from registry_wsgi.api.respond import status_line
from registry_wsgi.context import ENVIRON_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.context import Event
    from registry_wsgi.interfaces import WSGIApplication

_BOUNDARY = re.compile(rb"[0-9a-f]{32}")


class Answer(NamedTuple):
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    events: Sequence[Event]


class BothWays:
    """Asks `around` once, and `through` twice: the second answer may be one that was remembered."""

    def __init__(self, around: WSGIApplication, through: WSGIApplication) -> None:
        self.around = around
        self.through = through

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return self.through(environ, start_response)
        around, first, again = (answered(each, environ) for each in (self.around, self.through, self.through))
        assert first == around
        assert again == around
        start_response(status_line(around.status), [*around.headers])
        return [around.body] if around.body else []


def answered(application: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    """Return all that comes of a request; a boundary between parts, which is made up each time, is all zeros."""
    asked = dict(environ)
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        started.append((status, headers))
        return lambda _: None

    body = application(asked, start_response)
    try:
        content = b"".join(body)
    finally:
        if hasattr(body, "close"):
            body.close()
    [(status, headers)] = started
    if any(value.startswith("multipart/byteranges") for _, value in headers):
        content = _BOUNDARY.sub(b"0" * 32, content)
        headers = [(name, re.sub("[0-9a-f]{32}", "0" * 32, value)) for name, value in headers]
    return Answer(int(status[:3]), headers, content, asked[ENVIRON_KEY].events)


def create_app() -> BothWays:
    """Return the configured registry, over a driver that two of them can share."""
    chosen = config.load()
    app.configure_logs(chosen.log, access_log=False)
    around = replace(chosen, responses=replace(chosen.responses, enabled=False))
    return BothWays(app.build(around), app.build(chosen))
