"""The conformance suite of layers: what every WSGI layer has to be, whatever it does.

class TestMyLayer(LayerSuite):
    @pytest.fixture
    def layer(self):
        return Layer("mine", MyLayer, {"option": 1})
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from registry_wsgi.api.core import create_core
from registry_wsgi.drivers.inmemory import InMemoryDriver
from registry_wsgi.middleware.compose import Layer, Stage, compose
from registry_wsgi.middleware.tracing import TracingLayer
from registry_wsgi.storage.registry import Registry
from registry_wsgi.testing._together import together

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import WSGIApplication

__all__ = ["LayerSuite"]


class LayerSuite:
    """Subclass it and give a fixture `layer`: a `compose.Layer` with options under which it hands requests on."""

    @pytest.fixture
    def layer(self) -> Layer:
        raise NotImplementedError("give a fixture `layer`: a Layer that hands requests on")

    def test_it_says_where_it_stands(self, layer: Layer) -> None:
        assert layer.stage in Stage

    def test_what_it_answers_and_asks_is_wsgi(self, layer: Layer) -> None:
        app = _validated(_stack(layer, _validated))
        for method, path in (("GET", "/v2/"), ("HEAD", "/v2/"), ("GET", "/v2/a/tags/list"), ("GET", "/nowhere")):
            ask(app, method, path)

    def test_a_body_comes_whole_and_is_closed_once(self, layer: Layer) -> None:
        bodies: list[_Body] = []

        def answering(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
            bodies.append(_Body([b"one", b"two"]))
            return bodies[-1]

        app = compose(answering, [Layer("tracing", TracingLayer), layer])
        status, content = ask(app, "GET", "/v2/")
        assert (status, content) == ("200", b"onetwo")
        assert [body.closed for body in bodies] == [1]

    def test_a_request_reaches_the_registry_with_its_body(self, layer: Layer) -> None:
        app = _stack(layer)
        status, _ = ask(app, "POST", f"/v2/a/blobs/uploads/?digest={_DIGEST}", b"content")
        assert status == "201"

    def test_many_requests_at_once_have_nothing_in_common(self, layer: Layer) -> None:
        app = _stack(layer)

        def often() -> None:
            for _ in range(25):
                assert ask(app, "GET", "/v2/") == ("200", b"{}")

        together(often, often, often, often)


_DIGEST = "sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"


def ask(app: WSGIApplication, method: str, target: str, body: bytes = b"") -> tuple[str, bytes]:
    """Ask as a server would; return the status and the body."""
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query}
    setup_testing_defaults(environ)
    environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), "SERVER_PROTOCOL": "HTTP/1.1"}
    seen: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
        seen.append(status)
        return lambda content: None

    answer = app(environ, start_response)
    try:
        content = b"".join(answer)
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()
    return seen[-1][:3], content


def _stack(layer: Layer, around: Any = lambda app: app) -> WSGIApplication:
    core = around(create_core(Registry(InMemoryDriver(), delete_enabled=True)))
    return compose(core, [Layer("tracing", TracingLayer), layer])


def _validated(app: Any) -> WSGIApplication:
    checked: WSGIApplication = validator(app)
    return checked


class _Body:
    def __init__(self, blocks: list[bytes]) -> None:
        self.closed = 0
        self._blocks = iter(blocks)

    def __iter__(self) -> _Body:
        return self

    def __next__(self) -> bytes:
        return next(self._blocks)

    def close(self) -> None:
        self.closed += 1
