"""Measures each request: what was asked for, what came of it, how long it took and how much was moved."""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import TYPE_CHECKING

from registry_wsgi.context import ENVIRON_KEY
from registry_wsgi.metrics import families
from registry_wsgi.metrics.families import BYTES, SECONDS
from registry_wsgi.middleware.closing import after
from registry_wsgi.middleware.compose import Stage
from registry_wsgi.routes import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import InputStream, StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication
    from registry_wsgi.metrics.measurements import Measurements, Series

# The names that registry:2 and registry:3 have for their routes, and ours for those that they have not.
_HANDLERS = {
    Resource.BASE: "base",
    Resource.BLOB: "blob",
    Resource.MANIFEST: "manifest",
    Resource.UPLOADS: "blob_upload",
    Resource.UPLOAD: "blob_upload_chunk",
    Resource.TAGS: "tags",
    Resource.REFERRERS: "referrers",
    Resource.CATALOG: "catalog",
    Resource.NONE: "none",
}
_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE"})
_METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"})


class MetricsLayer:
    """Adds each request to `measurements`. It costs two microseconds, which is why it is spelt out as it is."""

    stage = Stage.OBSERVE

    def __init__(self, app: WSGIApplication, *, measurements: Measurements) -> None:
        self._app = app
        self._measurements = measurements
        self._receiving: set[_Answer] = set()
        measurements.ask(families.UPLOADS, lambda: len(self._receiving))
        self._handlers = {resource: _Handler(measurements, name) for resource, name in _HANDLERS.items()}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        handler = self._handlers[environ[ENVIRON_KEY].route.resource]
        answer = _Answer(start_response)
        handler.under_way.add(answer)
        if method not in _WITHOUT_BODY:
            return self._received(environ, method, handler, answer)
        try:
            body = self._app(environ, answer)
        except BaseException:
            self._end(handler, method, answer, 0)
            raise
        if isinstance(body, list):
            self._end(handler, method, answer, sum(map(len, body)))
            return body
        return after(body, lambda: self._end(handler, method, answer, answer.length))

    def _received(self, environ: WSGIEnvironment, method: str, handler: _Handler, answer: _Answer) -> Iterable[bytes]:
        """Hand on a request that has a body, and measure that too."""
        counted = environ["wsgi.input"] = _CountedInput(environ["wsgi.input"])
        self._receiving.add(answer)
        try:
            body = self._app(environ, answer)
        finally:
            self._receiving.discard(answer)
            self._measurements.observe(handler.received, families.REQUEST_BYTES, counted.received)
            self._end(handler, method, answer, answer.length)
        return body

    def _end(self, handler: _Handler, method: str, answer: _Answer, sent: int) -> None:
        elapsed = time.perf_counter() - answer.began
        key = method, answer.status
        counts, seconds = handler.answers.get(key) or handler.answer(*key)
        with self._measurements.lock:
            counts[0] += 1
            seconds[0] += elapsed
            seconds[1 + bisect_left(SECONDS, elapsed)] += 1
            handler.sent[0] += sent
            handler.sent[1 + bisect_left(BYTES, sent)] += 1
        handler.under_way.discard(answer)


class _Handler:
    """The series of one route, and its requests under way: a set, for adding to one needs no lock."""

    def __init__(self, measurements: Measurements, name: str) -> None:
        self._measurements = measurements
        self._name = name
        self.answers: dict[tuple[str, str], tuple[Series, Series]] = {}
        self.under_way: set[_Answer] = set()
        measurements.ask(families.IN_FLIGHT, lambda: len(self.under_way), name)
        self.received = measurements.series(families.REQUEST_BYTES, name)
        self.sent = measurements.series(families.RESPONSE_BYTES, name)

    def answer(self, method: str, status: str) -> tuple[Series, Series]:
        """Return the series that count such answers, and their seconds; they are kept at hand from the first one on."""
        known = method.lower() if method in _METHODS else "unknown"
        found = (
            self._measurements.series(families.REQUESTS, self._name, known, status[:3]),
            self._measurements.series(families.REQUEST_SECONDS, self._name, known),
        )
        if method in _METHODS:
            self.answers[method, status] = found
        return found


class _Answer:
    """A start_response that remembers what it was called with. Without a call it is an error that nobody caught."""

    __slots__ = ("_headers", "_start_response", "began", "status")

    def __init__(self, start_response: StartResponse) -> None:
        self.began = time.perf_counter()
        self.status = "500"
        self._start_response = start_response

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        self.status, self._headers = status, headers
        # Not every server's start_response takes a third argument that is None.
        return self._start_response(status, headers, exc_info) if exc_info else self._start_response(status, headers)

    @property
    def length(self) -> int:
        """The length of a body that the server sends by itself."""
        headers = getattr(self, "_headers", ())
        return next((int(value) for name, value in headers if name == "Content-Length"), 0)


class _CountedInput:
    """A request's body that counts what is read of it."""

    def __init__(self, stream: InputStream) -> None:
        self._stream = stream
        self.received = 0

    def read(self, size: int = -1, /) -> bytes:
        content = self._stream.read(size)
        self.received += len(content)
        return content

    def readline(self, size: int = -1, /) -> bytes:
        line = self._stream.readline(size)
        self.received += len(line)
        return line

    def readlines(self, hint: int = -1, /) -> list[bytes]:
        lines = self._stream.readlines(hint)
        self.received += sum(map(len, lines))
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")
