"""The requests of tests/wire.py, asked of a stack in this process under the eyes of webtest's lint."""

from __future__ import annotations

from email.message import Message
from io import BytesIO, RawIOBase
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from webtest import TestRequest

from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from tests import storages, wire
from tests.stack import stack_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import InputStream
    from webtest import TestApp


def in_memory_stack(**options: Any) -> TestApp:
    """Return a stack over a new in-memory driver and cache; `options` as in `stack_over`."""
    return stack_over(storages.new_driver(), cache=InMemoryCacheProvider(), **options)


class BreakingStream(RawIOBase):
    """A body that breaks off as servers have it: with an error or, where `error` is None, with an end like any."""

    def __init__(self, content: bytes, error: Exception | None = None) -> None:
        self._content = BytesIO(content)
        self._error = error

    def read(self, size: int = -1) -> bytes:
        block = self._content.read(size)
        if not block and self._error is not None:
            raise self._error
        return block


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
        if body is None or isinstance(body, bytes):
            stream, length = BytesIO(body or b""), len(body or b"")
        else:
            stream, length = BytesIO(b"".join(body)), None
        return self.send(method, target, stream, length, headers)

    def send(
        self,
        method: str,
        target: str,
        stream: InputStream,
        length: int | None,
        headers: Mapping[str, str] | None = None,
        **environ: object,
    ) -> wire.Response:
        """Send a body of any behaviour; one without a length is chunked, on a server that tells where it ends."""
        parts = urlsplit(target)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
        framing = chunked if length is None else {"CONTENT_LENGTH": str(length)}
        request = TestRequest.blank(path, environ=self.environ | framing | environ, method=method)
        request.headers.update(headers or {})
        request.environ["wsgi.input"] = stream
        answer = self.app.do_request(request, status="*")
        message = Message()
        for name, value in answer.headerlist:
            message[name] = value
        return wire.Response(answer.status_int, message, answer.body)
