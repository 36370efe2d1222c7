"""The metrics layer: what it counts of each request, and that it hands on what it was given."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from registry_wsgi import config
from registry_wsgi.context import ENVIRON_KEY, Context
from registry_wsgi.metrics.measurements import Measurements
from registry_wsgi.middleware.metrics import MetricsLayer
from registry_wsgi.routes import parse_route
from registry_wsgi.wiring.layers import layers
from registry_wsgi.wiring.registry import create_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from registry_wsgi.interfaces import WSGIApplication

PATHS = {
    "/v2/": "base",
    "/v2/a/blobs/sha256:x": "blob",
    "/v2/a/blobs/uploads/": "blob_upload",
    "/v2/a/blobs/uploads/x": "blob_upload_chunk",
    "/v2/a/manifests/x": "manifest",
    "/v2/a/tags/list": "tags",
    "/v2/a/referrers/x": "referrers",
    "/v2/_catalog": "catalog",
    "/elsewhere": "none",
}


def ignore(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
    return lambda _: None


def requested(method: str, path: str, content: bytes = b"") -> dict[str, Any]:
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "wsgi.input": io.BytesIO(content)}
    return environ | {ENVIRON_KEY: Context(parse_route(path))}


def answering(status: str = "200 OK", body: Iterable[bytes] = (), length: str = "") -> WSGIApplication:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"].read(3)
        environ["wsgi.input"].readline()
        start_response(status, [("Content-Length", length)] if length else [])
        return list(body) if isinstance(body, tuple) else body

    return app


class Measured:
    """A metrics layer around an application, and what it has counted."""

    def __init__(self, app: WSGIApplication) -> None:
        self.measurements = Measurements()
        self.app = MetricsLayer(app, measurements=self.measurements)

    def series(self, name: str, *labels: str) -> list[float]:
        return list(self.measurements.snapshot()[f"registry_http_{name}", *labels])

    def requests(self) -> dict[tuple[str, ...], float]:
        snapshot = self.measurements.snapshot().items()
        return {key[1:]: series[0] for key, series in snapshot if key[0] == "registry_http_requests_total"}

    def total(self, name: str, *labels: str) -> tuple[float, float]:
        """Return the sum and the count of a histogram."""
        sum_, *buckets = self.series(name, *labels)
        return sum_, sum(buckets)


@pytest.mark.parametrize(("path", "handler"), PATHS.items())
def test_requests_are_counted_by_route_method_and_status(path: str, handler: str) -> None:
    measured = Measured(answering("404 Not Found"))
    for _ in range(3):
        measured.app(requested("GET", path), ignore)
    assert measured.requests() == {(handler, "get", "404"): 3.0}
    assert measured.total("request_duration_seconds", handler, "get")[1] == 3.0


def test_methods_that_a_client_makes_up_are_one() -> None:
    measured = Measured(answering("405 Method Not Allowed"))
    for method in ("BREW", "MELT"):
        measured.app(requested(method, "/v2/"), ignore)
    assert measured.requests() == {("base", "unknown", "405"): 2.0}


def test_bytes_are_counted_in_both_directions() -> None:
    measured = Measured(answering(body=(b"ab", b"cd")))
    measured.app(requested("PATCH", "/v2/a/blobs/uploads/x", b"0123456\n89"), ignore)
    assert measured.total("request_size_bytes", "blob_upload_chunk") == (8.0, 1.0)  # what nobody read never came
    measured.app(requested("GET", "/v2/"), ignore)
    assert measured.total("response_size_bytes", "base") == (4.0, 1.0)
    assert measured.total("request_size_bytes", "base") == (0.0, 0.0)


class Streamed:
    """A body that a server sends by itself."""

    closed = False

    def __iter__(self) -> Any:
        return iter((b"abc",))

    def close(self) -> None:
        self.closed = True


def test_a_body_that_the_server_sends_is_handed_on_and_counted_when_it_is_closed() -> None:
    body = Streamed()
    measured = Measured(answering(body=body, length="1000"))
    assert measured.app(requested("GET", "/v2/a/blobs/sha256:x"), ignore) is body
    assert measured.requests() == {}
    assert measured.series("in_flight_requests", "blob") == [1.0]
    body.close()
    assert body.closed
    assert measured.requests() == {("blob", "get", "200"): 1.0}
    assert measured.total("response_size_bytes", "blob") == (1000.0, 1.0)
    assert measured.series("in_flight_requests", "blob") == [0.0]


def test_uploads_in_progress_are_those_whose_body_is_being_received() -> None:
    seen: list[list[float]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(
            [*measured.series("uploads_in_progress"), *measured.series("in_flight_requests", "blob_upload_chunk")]
        )
        start_response("202 Accepted", [])
        return []

    measured = Measured(app)
    measured.app(requested("PATCH", "/v2/a/blobs/uploads/x"), ignore)
    assert seen == [[1.0, 1.0]]
    assert measured.series("uploads_in_progress") == [0.0]


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_an_error_that_nobody_caught_is_a_500_and_goes_on(method: str) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise RuntimeError

    measured = Measured(app)
    with pytest.raises(RuntimeError):
        measured.app(requested(method, "/v2/"), ignore)
    assert measured.requests() == {("base", method.lower(), "500"): 1.0}
    assert measured.series("in_flight_requests", "base") == [0.0]
    assert measured.series("uploads_in_progress") == [0.0]


@pytest.mark.parametrize(
    ("debug", "names"),
    [
        ({}, ["tracing", "probes"]),
        ({"prometheus": {"enabled": True}}, ["tracing", "probes"]),  # there is nowhere to ask
        ({"addr": ":5001"}, ["tracing", "probes", "health"]),
        ({"addr": ":5001", "prometheus": {"enabled": True}}, ["tracing", "probes", "metrics", "health"]),
        ({"prometheus": {"enabled": True, "mainport": True}}, ["tracing", "probes", "metrics"]),
    ],
)
def test_what_is_not_asked_for_is_not_in_the_stack(debug: dict[str, Any], names: list[str]) -> None:
    loaded = config.load({"storage": "inmemory", "http": {"debug": debug}})
    assert [layer.name for layer in layers(loaded)] == names
    registry = create_registry(loaded)
    assert type(registry.driver).__name__ == "InMemoryDriver"


def test_without_probes_the_tracing_layer_is_alone() -> None:
    loaded = config.load({"storage": "inmemory", "health": {"live": "", "ready": ""}})
    assert [layer.name for layer in layers(loaded)] == ["tracing"]
