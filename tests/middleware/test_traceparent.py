"""W3C Trace Context: which trace a request is a part of, in every line of it and for whoever passes it on."""

from __future__ import annotations

import logging

import pytest
from webtest import TestApp

import registry_wsgi
from registry_wsgi.context import ENVIRON_KEY, Context
from registry_wsgi.middleware.tracing import TracingLayer

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{SPAN}-01"


def context(header: str) -> Context:
    """Return what the tracing layer makes of a request with the header."""
    made: list[Context] = []

    def app(environ: dict[str, object], start_response: object) -> list[bytes]:
        context = environ[ENVIRON_KEY]
        assert isinstance(context, Context)
        made.append(context)
        return []

    TracingLayer(app)(
        {"REQUEST_METHOD": "GET", "PATH_INFO": "/v2/", "HTTP_TRACEPARENT": header}, lambda *_: lambda _: None
    )
    return made[0]


def test_it_is_taken_and_can_be_passed_on_as_it_came() -> None:
    trace = context(HEADER).traceparent
    assert trace == (TRACE, SPAN, HEADER)


def test_a_later_version_may_say_more() -> None:
    assert context(f"01-{TRACE}-{SPAN}-01-more").traceparent == (TRACE, SPAN, f"01-{TRACE}-{SPAN}-01-more")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_what_is_none_is_ignored(header: str) -> None:
    assert context(header).traceparent is None


def test_it_stands_in_every_line_of_the_request(caplog: pytest.LogCaptureFixture) -> None:
    registry = TestApp(registry_wsgi.create_app({"storage": "inmemory"}))
    logger = logging.getLogger("registry_wsgi")
    logger.addHandler(caplog.handler)
    registry.get("/v2/", headers={"traceparent": HEADER})
    registry.get("/v2/")
    told, untold = [record.fields for record in caplog.records if record.message == "response completed"]
    assert (told["trace_id"], told["span_id"]) == (TRACE, SPAN)
    assert "trace_id" not in untold
