"""Spans of a running registry, as a receiver of OTLP over HTTP gets them."""

from __future__ import annotations

import gzip
import http.server
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from registry_wsgi.app import build
from registry_wsgi.config import load
from registry_wsgi.errors import ConfigurationError
from tests import storages
from tests.wire import Client, digest_of, with_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Serve

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECONDS = 60.0


class Receiver:
    """Takes spans at `endpoint` and keeps them by their ids."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.spans: dict[str, Any] = {}
        self.services: set[str] = set()
        self.changed = threading.Condition()

    def take(self, content: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(content)
        with self.changed:
            for resource in request.resource_spans:
                names = {each.key: each.value.string_value for each in resource.resource.attributes}
                self.services.add(names["service.name"])
                for scope in resource.scope_spans:
                    self.spans |= {span.span_id.hex(): span for span in scope.spans}
            self.changed.notify_all()

    def wait_for(self, name: str) -> Any:
        """Return the span of that name, which may still be under way."""
        with self.changed:
            assert self.changed.wait_for(lambda: name in self.names(), SECONDS), self.names()
            return next(span for span in self.spans.values() if span.name == name)

    def names(self) -> list[str]:
        return [span.name for span in self.spans.values()]

    def children(self, span: Any) -> list[Any]:
        return [each for each in self.spans.values() if each.parent_span_id == span.span_id]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running(Receiver()) as found:
        yield found


@contextmanager
def running(receiver: Receiver) -> Iterator[Receiver]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.take(gzip.decompress(content) if self.headers["Content-Encoding"] == "gzip" else content)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.endpoint = f"http://127.0.0.1:{server.server_port}/v1/traces"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield receiver
        server.shutdown()


def sections(receiver: Receiver, **options: object) -> dict[str, object]:
    layer = {"name": "opentelemetry", "options": {"endpoint": receiver.endpoint, "service": "mine", **options}}
    return {"middleware": {"http": [layer], "storage": [{"name": "opentelemetry"}]}}


def attributes(span: Any) -> dict[str, Any]:
    values = {each.key: each.value for each in span.attributes}
    return {key: value.string_value or value.int_value for key, value in values.items()}


@pytest.mark.parametrize("kind", ["granian", "gthread"])
def test_a_request_continues_the_trace_that_it_belongs_to(serve: Serve, receiver: Receiver, kind: str) -> None:
    server = serve(kind=kind, sections=sections(receiver))
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "User-Agent": "me"}
    assert Client(server.url).request("GET", "/v2/a/b/tags/list", headers=headers).status == 404
    server.stop()  # what is not exported yet goes out with the end
    span = receiver.wait_for("GET /v2/{name}/tags/list")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    expected = {
        "http.request.method": "GET",
        "http.route": "/v2/{name}/tags/list",
        "http.response.status_code": 404,
        "registry.repository": "a/b",
        "url.path": "/v2/a/b/tags/list",
        "user_agent.original": "me",
    }
    assert attributes(span) | expected == attributes(span)
    assert span.status.code != 2  # an error of the client's
    assert receiver.services == {"mine"}
    # Calls of the driver are the request's children, and of the same trace.
    calls = {(each.name, each.trace_id.hex()) for each in receiver.children(span)}
    assert calls == {(f"{storages.kinds()[0]}.{name}", TRACE) for name in ("list", "stat")}
    # So are lines of the log.
    assert f"span_id={span.span_id.hex()} trace_id={TRACE}" in server.log.read_text()


def test_a_request_without_a_trace_begins_one(serve: Serve, receiver: Receiver) -> None:
    server = serve(sections=sections(receiver))
    client = Client(server.url)
    location = client.start_upload("a/b")
    client.request("PATCH", location, b"content")
    client.request("PUT", with_query(location, digest=digest_of(b"content")), b"")
    server.stop()
    put = receiver.wait_for("PUT /v2/{name}/blobs/uploads/{id}")
    assert put.parent_span_id == b""
    names = {each.name for each in receiver.children(put)}
    assert names >= {f"{storages.kinds()[0]}.{name}" for name in ("writer", "move", "put_content")}


def test_who_asks_decides_whether_a_trace_is_kept(serve: Serve, receiver: Receiver) -> None:
    server = serve(sections=sections(receiver, ratio=0.0))
    client = Client(server.url)
    client.request("GET", "/v2/")
    client.request("GET", "/v2/_catalog", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    client.request("GET", "/v2/a/tags/list", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    server.stop()
    receiver.wait_for("GET /v2/_catalog")
    assert not {"GET /v2/", "GET /v2/{name}/tags/list"} & set(receiver.names())


def test_a_receiver_that_is_not_there_holds_up_nobody(serve: Serve, free_port: int) -> None:
    gone = Receiver()
    gone.endpoint = f"http://127.0.0.1:{free_port}/v1/traces"
    client = Client(serve(sections=sections(gone)).url)
    digest = client.push_blob("a", b"content")
    assert client.blob("a", digest).body == b"content"


def test_what_is_not_named_is_not_there() -> None:
    """Switched off it costs nothing: neither a layer nor a package."""
    program = """
import sys
from registry_wsgi import create_app
create_app({"storage": "inmemory"})
print([name for name in sys.modules if name.split(".")[0] in ("opentelemetry", "registry_wsgi_opentelemetry")])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_a_ratio_that_is_none_is_refused() -> None:
    layer = {"name": "opentelemetry", "options": {"ratio": 2.0}}
    with pytest.raises(ConfigurationError, match="ratio must be from 0 to 1, not 2"):
        build(load({"storage": "inmemory", "middleware": {"http": [layer]}}))
