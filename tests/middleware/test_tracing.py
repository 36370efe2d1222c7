from __future__ import annotations

import json
import logging
import os
import uuid
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from webtest import TestApp

from registry_wsgi import context, logs
from registry_wsgi.context import ENVIRON_KEY, Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.drivers.traced import TracedDriver
from registry_wsgi.middleware.tracing import TracingLayer
from tests import storages
from tests.stack import stack_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[dict[str, object]]]:
    caplog.set_level(logging.DEBUG, "registry_wsgi")

    def of(message: str) -> list[dict[str, object]]:
        return [record.fields for record in caplog.records if record.getMessage() == message]  # type: ignore[attr-defined]

    return of


def test_a_completed_request_is_one_line_with_its_fields(lines: Callable[[str], list[dict[str, object]]]) -> None:
    app = stack_over(storages.new_driver())
    app.get("/v2/", headers={"User-Agent": "agent/1"})
    (line,) = lines("response completed")
    assert line["http.request.method"] == "GET"
    assert line["http.request.uri"] == "/v2/"
    assert line["http.request.useragent"] == "agent/1"
    assert line["http.response.status"] == 200
    assert line["http.response.written"] == "2"


def test_a_refused_request_says_why(lines: Callable[[str], list[dict[str, object]]]) -> None:
    stack_over(storages.new_driver()).get("/v2/a/manifests/v1", status=404)
    (line,) = lines("response completed with error")
    assert (line["err.code"], line["vars.name"], line["vars.argument"]) == ("manifest_unknown", "a", "v1")


def test_every_request_has_an_id_of_its_own(lines: Callable[[str], list[dict[str, object]]]) -> None:
    app = stack_over(storages.new_driver())
    app.get("/v2/")
    app.get("/v2/")
    assert len({line["http.request.id"] for line in lines("response completed")}) == 2


def test_driver_calls_are_traced_with_their_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "registry_wsgi")
    app = stack_over(TracedDriver(storages.new_driver()))
    location = app.post("/v2/a/blobs/uploads/").headers["Location"]
    app.patch(location, b"{}")
    app.put(f"{location}?digest={Digest.of(b'{}')}", status=201)
    traces = [record for record in caplog.records if "trace.id" in getattr(record, "fields", {})]
    assert {record.fields["trace.func"] for record in traces} >= {"get_content", "put_content", "writer", "move"}  # type: ignore[attr-defined]
    assert all(record.fields["http.request.id"] for record in traces)  # type: ignore[attr-defined]


def test_a_trace_says_when_it_began_and_from_where(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "registry_wsgi")
    driver, ctx = TracedDriver(storages.new_driver()), Context()
    with ctx.trace("outer", "outer"):
        driver.put_content(ctx, "/a", b"content")
    inner, outer = (record.fields for record in caplog.records)  # type: ignore[attr-defined]
    assert inner["trace.parent.id"] == outer["trace.id"]
    assert "trace.parent.id" not in outer
    assert inner["trace.file"] == __file__
    assert outer["trace.start"] <= inner["trace.start"]
    assert float(inner["trace.duration"].removesuffix("s")) <= float(outer["trace.duration"].removesuffix("s"))


class Body(list[bytes]):
    """What a server's file wrapper is to it: an object it knows."""

    closed = False

    def close(self) -> None:
        self.closed = True


def answering(body: Iterable[bytes]) -> TracingLayer:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
        return body

    return TracingLayer(app)


class FileWrapper:
    def __init__(self, file: BytesIO) -> None:
        self.file = file

    def __iter__(self) -> Iterable[bytes]:
        return iter([self.file.read()])

    def close(self) -> None:
        self.file.close()


def test_the_body_stays_the_object_that_the_server_knows(lines: Callable[[str], list[dict[str, object]]]) -> None:
    wrapper = FileWrapper(BytesIO(b"body"))
    environ = {"PATH_INFO": "/v2/", "REQUEST_METHOD": "GET"}
    body = answering(wrapper)(environ, lambda *_: lambda _: None)  # type: ignore[arg-type, list-item]
    assert body is wrapper
    assert lines("response completed") == []
    body.close()  # type: ignore[attr-defined]
    assert wrapper.file.closed
    assert len(lines("response completed")) == 1


def failing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    raise RuntimeError("a bug")


def test_what_nobody_answered_is_a_500_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    response = TestApp(TracingLayer(failing)).get("/v2/", status=500)
    assert response.json == {"errors": [{"code": "UNKNOWN", "message": "unknown error"}]}
    assert "a bug" in caplog.text


def test_a_500_takes_the_place_of_an_answer_that_was_begun() -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
        raise RuntimeError("a bug")

    assert TestApp(TracingLayer(app)).get("/v2/", status=500).json["errors"][0]["code"] == "UNKNOWN"


def test_a_request_of_which_no_line_tells_needs_no_id(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("registry_wsgi", logs.ACCESS_LOGGER):
        caplog.set_level(logging.ERROR, name)
    monkeypatch.setattr(context, "_ids", None)
    stack_over(storages.new_driver()).get("/v2/", status=200)


def test_the_id_of_a_request_stays() -> None:
    first = Context()
    assert first.id == first.id != Context().id
    assert uuid.UUID(first.id).version == 4
    assert uuid.UUID(first.id).variant == uuid.RFC_4122


def test_ids_of_forked_processes_differ() -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover - measured in another process
        os.write(writer, Context().id.encode())
        os._exit(0)
    theirs = os.read(reader, 100).decode()
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)
    assert theirs[:-12] != Context().id[:-12]


def test_the_context_is_the_only_thing_added_to_the_environ() -> None:
    seen: dict[str, object] = {}

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.update(environ)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return []

    environ = {"PATH_INFO": "/v2/a/tags/list", "REQUEST_METHOD": "GET"}
    TracingLayer(app)(dict(environ), lambda *_: lambda _: None)  # type: ignore[arg-type]
    assert seen.keys() - environ.keys() == {ENVIRON_KEY}


RECORD = logging.makeLogRecord({"msg": 'a "message"', "levelno": logging.INFO, "levelname": "INFO", "created": 0.5})
RECORD.fields = {"vars.name": "a b", "http.response.status": 200}  # type: ignore[attr-defined]


def test_the_text_format_is_key_and_value() -> None:
    assert logs.LineFormatter(logs.text).format(RECORD) == (
        'time="1970-01-01T00:00:00.500000Z" level=info msg="a \\"message\\"" http.response.status=200 vars.name="a b"'
    )


@pytest.mark.parametrize(
    ("name", "keys"), [("json", {"level", "msg", "time"}), ("logstash", {"@timestamp", "message"})]
)
def test_the_json_formats_are_one_object_a_line(name: str, keys: set[str]) -> None:
    line = json.loads(logs.LineFormatter(logs.FORMATS[name]).format(RECORD))
    assert line.keys() >= keys | {"vars.name", "http.response.status"}


def test_a_line_cannot_be_forged_by_a_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logs.ACCESS_LOGGER)
    environ = {"PATH_INFO": '/v2/"\nforged', "REQUEST_METHOD": "GET", "HTTP_USER_AGENT": "a\r\nb"}
    list(answering([b"body"])(environ, lambda *_: lambda _: None))  # type: ignore[arg-type]
    (line,) = [record.getMessage() for record in caplog.records if record.name == logs.ACCESS_LOGGER]
    assert "\n" not in line
    assert "\r" not in line
