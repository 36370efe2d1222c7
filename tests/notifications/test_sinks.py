"""The built-in sinks: what they send, to whom, and what they take for delivered."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from registry_wsgi.errors import ConfigurationError, DeliveryFailed
from registry_wsgi.notifications.documents import rfc3339
from registry_wsgi.notifications.function import CallableSink
from registry_wsgi.notifications.http import HTTPSink
from registry_wsgi.testing.events import EventSinkSuite, notification
from tests.notifications.receiver import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry_wsgi.interfaces import Notification

AS_DOCKER_REGISTRY_WRITES = b"""{
   "events": [
      {
         "id": "00000000-0000-0000-0000-000000000001",
         "timestamp": "2023-11-14T22:13:20.12345679Z",
         "action": "push",
         "target": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "size": 8,
            "digest": "DIGEST",
            "length": 8,
            "repository": "library/busybox",
            "url": "https://registry.example.com/v2/library/busybox/manifests/DIGEST",
            "tag": "latest"
         },
         "request": {
            "id": "request",
            "addr": "192.0.2.1:1234",
            "host": "registry.example.com",
            "method": "PUT",
            "useragent": "docker/24"
         },
         "actor": {
            "name": "alice"
         },
         "source": {
            "addr": "registry:5000",
            "instanceID": "instance"
         }
      }
   ]
}"""


class TestHTTPSink(EventSinkSuite):
    @pytest.fixture
    def sink(self, receiver: Receiver) -> Iterator[HTTPSink]:
        self.receiver = receiver
        sink = HTTPSink(url=receiver.url, timeout=30)
        yield sink
        sink.close()

    def received(self, count: int) -> Sequence[str]:
        return [event["id"] for event in self.receiver.wait(1)][:count]


class TestHTTPSinkWithCloudEvents(EventSinkSuite):
    @pytest.fixture
    def sink(self, receiver: Receiver) -> Iterator[HTTPSink]:
        self.receiver = receiver
        sink = HTTPSink(url=receiver.url, timeout=30, format="cloudevents")
        yield sink
        sink.close()

    def received(self, count: int) -> Sequence[str]:
        return [json.loads(post.body)["id"] for post in self.receiver.posts][:count]


class TestCallableSink(EventSinkSuite):
    @pytest.fixture
    def sink(self) -> CallableSink:
        self.got: list[Notification] = []
        return CallableSink(function=self.got.append)

    def received(self, count: int) -> Sequence[str]:
        return [event.id for event in self.got][:count]


@contextmanager
def sending(url: str, **options: Any) -> Iterator[HTTPSink]:
    sink = HTTPSink(url=url, **{"timeout": 30, **options})
    try:
        yield sink
    finally:
        sink.close()


# ── what is sent ──


def test_a_post_is_docker_registrys_byte_for_byte(receiver: Receiver) -> None:
    event = notification(1)
    with sending(receiver.url) as sink:
        assert sink.send(event) == "200 OK"
    (post,) = receiver.posts
    target = event.target
    assert target is not None
    assert post.body == AS_DOCKER_REGISTRY_WRITES.replace(b"DIGEST", target.digest.encode())
    assert post.headers["Content-Type"] == "application/vnd.docker.distribution.events.v1+json"
    assert post.path == "/events"


def test_configured_headers_are_added_and_win(receiver: Receiver) -> None:
    headers = {"Authorization": ["Bearer secret"], "X-A": ["1", "2"], "User-Agent": ["mine"]}
    with sending(receiver.url, headers=headers) as sink:
        sink.send(notification())
    got = receiver.posts[0].headers
    assert (got["Authorization"], got.get_all("X-A"), got.get_all("User-Agent")) == (  # type: ignore[attr-defined]
        "Bearer secret",
        ["1", "2"],
        ["mine"],
    )


def test_a_user_in_the_url_is_told_in_a_header_and_a_query_stays(receiver: Receiver) -> None:
    with sending(f"http://user:p%40ss@127.0.0.1:{receiver.port}/a?b=c") as sink:
        sink.send(notification())
    (post,) = receiver.posts
    assert post.path == "/a?b=c"
    assert post.headers["Authorization"] == "Basic dXNlcjpwQHNz"
    assert post.headers["Host"] == f"127.0.0.1:{receiver.port}"


def test_a_cloud_event_has_the_event_as_its_data(receiver: Receiver) -> None:
    with sending(receiver.url, format="cloudevents") as sink:
        sink.send(notification(1))
        sink.send(notification(2, tag="", action="pull"))
        sink.send(notification(3, target=None, action="delete", url=""))
    posts = [json.loads(post.body) for post in receiver.posts]
    assert receiver.posts[0].headers["Content-Type"].startswith("application/cloudevents+json")
    data = posts[0].pop("data")
    assert posts[0] == {
        "specversion": "1.0",
        "id": "00000000-0000-0000-0000-000000000001",
        "type": "registry.push",
        "source": "//registry:5000/library/busybox",
        "subject": "latest",
        "time": posts[0]["time"],
        "datacontenttype": "application/json",
    }
    assert posts[0]["time"].startswith("2023-11-14T22:13:20.123")
    assert data["target"]["tag"] == "latest"
    assert [(post["type"], post["subject"][:7]) for post in posts[1:]] == [
        ("registry.pull", "sha256:"),
        ("registry.delete", "latest"),
    ]


TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def traced() -> Notification:
    event = notification(1)
    return replace(event, request=replace(event.request, traceparent=TRACEPARENT))


def test_the_trace_of_a_request_goes_on_in_a_header_and_the_body_is_docker_registrys(receiver: Receiver) -> None:
    with sending(receiver.url) as sink:
        sink.send(traced())
        sink.send(notification(1))
    with_trace, without = receiver.posts
    assert with_trace.headers["traceparent"] == TRACEPARENT
    assert "traceparent" not in without.headers
    assert with_trace.body == without.body


def test_a_cloud_event_has_the_trace_as_an_attribute_too(receiver: Receiver) -> None:
    with sending(receiver.url, format="cloudevents") as sink:
        sink.send(traced())
    (post,) = receiver.posts
    assert (post.headers["traceparent"], json.loads(post.body)["traceparent"]) == (TRACEPARENT, TRACEPARENT)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_700_000_000_000_000_001, "2023-11-14T22:13:20.000000001Z"),
        (1_700_000_000_120_000_000, "2023-11-14T22:13:20.12Z"),
    ],
)
def test_a_time_has_the_decimals_that_it_needs(nanoseconds: int, text: str) -> None:
    assert rfc3339(nanoseconds) == text


# ── what is delivered ──


@pytest.mark.parametrize("status", [200, 201, 204, 300, 302, 399])
def test_a_status_from_200_to_399_is_delivered(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda post: status
    with sending(receiver.url) as sink:
        assert sink.send(notification()).startswith(str(status))


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_another_status_is_not(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda post: status
    with sending(receiver.url) as sink, pytest.raises(DeliveryFailed) as raised:
        sink.send(notification())
    assert raised.value.status.startswith(str(status))


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_keeps_the_body_is_followed_without_our_headers(receiver: Receiver, status: int) -> None:
    with receiving() as other:
        receiver.answer = lambda post: status
        receiver.headers = {"Location": other.url}
        with sending(receiver.url, headers={"Authorization": ["secret"]}) as sink:
            assert sink.send(notification(5)) == "200 OK"
        assert other.events[0]["id"] == notification(5).id
        assert "Authorization" not in other.posts[0].headers
        assert receiver.posts[0].headers["Authorization"] == "secret"


def test_redirects_without_end_are_not_delivered(receiver: Receiver) -> None:
    receiver.answer = lambda post: 307
    receiver.headers = {"Location": "/again"}
    with sending(receiver.url) as sink, pytest.raises(DeliveryFailed, match="redirects without end"):
        sink.send(notification())
    assert len(receiver.posts) == 10


def test_an_endpoint_that_is_not_there_is_an_error_without_a_status(free_port: int) -> None:
    with sending(f"http://127.0.0.1:{free_port}/") as sink, pytest.raises(DeliveryFailed, match="refused") as raised:
        sink.send(notification())
    assert raised.value.status == ""


def test_a_connection_that_was_kept_and_closed_by_the_endpoint_is_no_failure() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        bodies = []

        def serve() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as reader:
                    lines = iter(lambda: reader.readline().strip().lower(), b"")
                    length = next(int(line[15:]) for line in list(lines) if line.startswith(b"content-length:"))
                    bodies.append(reader.read(length))
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        with sending(f"http://127.0.0.1:{listener.getsockname()[1]}/") as sink:
            sink.send(notification(1))
            sink.send(notification(2))
        thread.join()
    assert [json.loads(body)["events"][0]["id"] for body in bodies] == [notification(1).id, notification(2).id]


def test_the_timeout_is_of_the_whole_post_however_slowly_it_is_answered() -> None:
    ended = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000:
                    if ended.wait(0.05):
                        return
                    try:
                        connection.sendall(bytes([byte]))
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        started = time.monotonic()
        with (
            sending(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.5) as sink,
            pytest.raises(DeliveryFailed, match="timed out"),
        ):
            sink.send(notification())
        assert time.monotonic() - started < 60
        ended.set()
        thread.join()


def test_a_proxy_is_heeded(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{receiver.port}")
    monkeypatch.setenv("no_proxy", "near.example.com")
    with sending("http://far.example.com/events?a=b") as sink:
        sink.send(notification())
    assert receiver.posts[0].path == "http://far.example.com/events?a=b"
    assert receiver.posts[0].headers["Host"] == "far.example.com"


# ── what cannot be ──


def test_a_format_that_is_none_is_said_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match="format: must be docker or cloudevents, not 'xml'"):
        HTTPSink(url="http://localhost/", format="xml")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("json", "function must be of the form package.module:name"),
        ("json:nothing", "cannot be imported"),
        ("no_such_module:name", "cannot be imported"),
        ("json:__name__", "nothing that can be called"),
    ],
)
def test_a_function_that_is_none_is_said_at_the_start(function: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        CallableSink(function=function)


def test_a_function_that_raises_has_not_got_the_event() -> None:
    def function(event: Notification) -> None:
        raise RuntimeError("not now")

    with pytest.raises(RuntimeError, match="not now"):
        CallableSink(function=function).send(notification())
