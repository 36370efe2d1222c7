"""The requests of tests/wire.py, asked of a stack in this process under the eyes of webtest's lint."""

from __future__ import annotations

from email.message import Message
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from webtest import TestRequest

from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.drivers.inmemory import InMemoryDriver
from tests import wire
from tests.stack import stack_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from webtest import TestApp


def in_memory_stack(**options: Any) -> TestApp:
    """Return a stack over a new in-memory driver and cache; `options` as in `stack_over`."""
    return stack_over(InMemoryDriver(), cache=InMemoryCacheProvider(), **options)


class InProcess(wire.Client):
    """A wire.Client without a wire. `environ` goes under every request's own."""

    def __init__(self, app: TestApp, environ: Mapping[str, object] | None = None) -> None:
        self.app = app
        self.environ = dict(environ or {})

    def request(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> wire.Response:
        parts = urlsplit(target)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        request = TestRequest.blank(path, environ=dict(self.environ), method=method)
        request.body = b"" if body is None else body if isinstance(body, bytes) else b"".join(body)
        if not (body is None or isinstance(body, bytes)):
            del request.environ["CONTENT_LENGTH"]
            request.environ |= {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
        request.headers.update(headers or {})
        answer = self.app.do_request(request, status="*")
        message = Message()
        for name, value in answer.headerlist:
            message[name] = value
        return wire.Response(answer.status_int, message, answer.body)
