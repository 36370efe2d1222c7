"""What clients ask of a registry, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from werkzeug.datastructures import EnvironHeaders, Headers

from registry_wsgi.context import ENVIRON_KEY, Event
from registry_wsgi.testing.input import CountedInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication
    from registry_wsgi.testing.journal import Journal


@dataclass(frozen=True)
class Request:
    """One request and its answer: the `status`, 0 for none, and the `answer_headers`. Names of headers have no case.

    `query` is as it was sent, without the question mark; `user` is empty where nobody proved to be one.
    """

    method: str
    path: str
    query: str
    headers: Headers = field(repr=False)
    status: int
    answer_headers: Headers = field(repr=False)
    user: str
    _body: CountedInput = field(repr=False, compare=False)

    @property
    def body_size(self) -> int:
        """Return how many bytes of the body the registry has read, which leaves what it refuses."""
        return self._body.size


class Recording:
    """An application around another one that notes the requests, and the events of those that succeeded.

    A request is noted before its answer is sent, so that a client that has one finds it noted.
    """

    def __init__(self, app: WSGIApplication, requests: Journal[Request], events: Journal[Event]) -> None:
        self._app = app
        self._requests = requests
        self._events = events

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"] = CountedInput(environ["wsgi.input"])
        answer = _Answer(start_response)
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        try:
            return self._app(environ, answer)
        finally:
            ctx = environ.get(ENVIRON_KEY)
            headers = Headers(list(EnvironHeaders(environ)))
            request = Request(
                method=method,
                path=path,
                query=environ.get("QUERY_STRING", ""),
                headers=headers,
                status=answer.status,
                answer_headers=answer.headers,
                user=ctx.user if ctx is not None else "",
                _body=body,
            )
            if ctx is not None and 200 <= answer.status < 400:
                self._events.add(ctx.events)
            self._requests.add([request])


class _Answer:
    """A start_response that remembers what it was called with."""

    def __init__(self, start_response: StartResponse) -> None:
        self.status = 0
        self.headers = Headers()
        self._start_response = start_response

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        self.status, self.headers = int(status[:3]), Headers(headers)
        return self._start_response(status, headers, exc_info) if exc_info else self._start_response(status, headers)
