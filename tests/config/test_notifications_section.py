"""The section `notifications`: registry:2's keys, and our own beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from registry_wsgi.config import Endpoint, Notifications, Outbox, load
from registry_wsgi.errors import ConfigurationError
from registry_wsgi.inspection.preflight import inspect
from registry_wsgi.wiring.notifier import create_notifier

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://example.com/events?registry=1"


def read(**section: Any) -> Notifications:
    config = load({"storage": "inmemory", "notifications": section})
    assert config.warnings == ()
    return config.notifications


def test_an_endpoint_is_read() -> None:
    given = {
        "name": "a",
        "url": URL,
        "headers": {"Authorization": ["Bearer x"]},
        "timeout": "500ms",
        "threshold": 5,
        "backoff": "2s",
        "ignoredmediatypes": ["x/y"],
        "ignore": {"mediatypes": ["x/z"], "actions": ["pull"]},
        "format": "cloudevents",
        "options": {"more": 1},
    }
    assert read(endpoints=[given]).endpoints == (
        Endpoint(
            name="a",
            key="notifications.endpoints[0]",
            sink="http",
            parameters={
                "url": URL,
                "headers": {"Authorization": ("Bearer x",)},
                "timeout": 0.5,
                "format": "cloudevents",
                "more": 1,
            },
            threshold=5,
            backoff=2.0,
            ignored_media_types=frozenset({"x/y", "x/z"}),
            ignored_actions=frozenset({"pull"}),
        ),
    )


@pytest.mark.parametrize("nothing", [{}, {"timeout": 0, "threshold": 0, "backoff": "0s"}, {"threshold": -1}])
def test_what_an_endpoint_does_not_say_is_as_in_docker_registry(nothing: dict[str, Any]) -> None:
    (endpoint,) = read(endpoints=[{"name": "a", "url": URL, **nothing}]).endpoints
    assert (endpoint.parameters, endpoint.threshold, endpoint.backoff) == ({"url": URL}, 10, 1.0)


def test_an_endpoint_without_a_name_goes_by_its_url_without_secrets() -> None:
    (endpoint,) = read(endpoints=[{"url": "https://user:secret@example.com/events?token=secret"}]).endpoints
    assert endpoint.name == "example.com/events"


def test_a_disabled_endpoint_gets_nothing_and_keeps_its_backlog() -> None:
    notifications = read(endpoints=[{"name": "a", "disabled": True}, {"name": "b", "url": URL}])
    assert [endpoint.name for endpoint in notifications.endpoints] == ["b"]
    assert notifications.names == {"a", "b"}


@pytest.mark.parametrize(
    ("section", "outbox"),
    [
        ({}, None),
        ({"path": "/o"}, Outbox("sqlite", {"path": "/o"})),
        ({"maxevents": 0}, Outbox("sqlite", {"maxevents": 0})),
        ({"name": "inmemory"}, Outbox("inmemory", {})),
        ({"name": "mine", "maxevents": 5, "options": {"dsn": "x"}}, Outbox("mine", {"maxevents": 5, "dsn": "x"})),
    ],
)
def test_an_outbox_is_read(section: dict[str, Any], outbox: Outbox | None) -> None:
    assert read(outbox=section).outbox == outbox


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"endpoints": [{"name": "a"}]},
            "notifications.endpoints[0].url: required, but not given; allowed: an absolute",
        ),
        ({"endpoints": [{"url": "example.com"}]}, "notifications.endpoints[0].url: must be an absolute URL such as"),
        ({"endpoints": [{"url": "http://a b"}]}, "notifications.endpoints[0].url: must be an absolute URL such as"),
        ({"endpoints": [{"url": "http://a/#b"}]}, "notifications.endpoints[0].url: must be an absolute URL such as"),
        ({"endpoints": [{"url": URL, "timeout": "soon"}]}, "notifications.endpoints[0].timeout: must be a duration"),
        ({"endpoints": [{"url": URL, "ignore": {"actions": ["pul"]}}]}, "ignore.actions[0]: must be one of pull, push"),
        ({"endpoints": [{"url": URL, "format": "xml"}]}, "format: must be one of docker, cloudevents, not xml"),
        ({"endpoints": [{"url": URL}, {"url": URL}]}, "[1].name: 'example.com/events' is the name of two endpoints"),
        ({"outbox": {"maxevents": -1}}, "notifications.outbox.maxevents: must be an integer, zero or more, not -1"),
    ],
)
def test_anything_else_is_one_line_with_the_key_and_what_is_allowed(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load({"storage": "inmemory", "notifications": section})
    assert message in str(raised.value)
    assert "secret" not in str(raised.value)


def test_no_message_tells_the_secrets_of_a_url() -> None:
    with pytest.raises(ConfigurationError) as raised:
        load({"storage": "inmemory", "notifications": {"endpoints": [{"url": "https://u:secret@a b/?t=secret"}]}})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"endpoints": [{"name": "a", "sink": "carrier-pigeon"}]},
            "[0].sink: unknown name 'carrier-pigeon'; allowed: ",
        ),
        ({"endpoints": [{"url": URL, "options": {"colour": 1}}]}, "notifications.endpoints[0].colour: unknown key"),
        ({"endpoints": [{"name": "a", "sink": "callable"}]}, "notifications.endpoints[0].function: required"),
        (
            {"endpoints": [{"name": "a", "sink": "callable", "options": {"function": "json"}}]},
            "notifications.endpoints[0]: function must be of the form package.module:name",
        ),
        ({"endpoints": [{"url": URL}], "outbox": {"name": "pigeonhole"}}, "outbox.name: unknown name 'pigeonhole'"),
        ({"endpoints": [{"url": URL}], "outbox": {"path": "/dev/null/x"}}, "notifications.outbox: path: no outbox can"),
    ],
)
def test_what_cannot_be_built_is_said_at_the_start(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        create_notifier(load({"storage": "inmemory", "notifications": {"outbox": {"name": "inmemory"}, **section}}))
    assert message in str(raised.value)


def test_an_outbox_inside_the_storage_is_refused(tmp_path: Path) -> None:
    storage = {"filesystem": {"rootdirectory": str(tmp_path)}}
    section = {"endpoints": [{"url": URL}], "outbox": {"path": str(tmp_path / "outbox")}}
    with pytest.raises(ConfigurationError, match=r"outbox\.path: .* is inside the storage's directory"):
        create_notifier(load({"storage": storage, "notifications": section}))


def test_a_check_says_what_is_wrong_with_each_endpoint() -> None:
    endpoints = [{"name": "a", "sink": "x"}, {"name": "b", "sink": "y"}]
    section = {"endpoints": endpoints, "outbox": {"path": "/dev/null/x"}}
    problems, _ = inspect({"storage": "inmemory", "notifications": section}, running=True)
    assert [problem.partition(":")[0] for problem in problems] == [
        "notifications.outbox",
        "notifications.endpoints[0].sink",
        "notifications.endpoints[1].sink",
    ]


def test_a_registry_without_endpoints_has_no_layer_and_no_outbox() -> None:
    assert create_notifier(load({"storage": "inmemory", "notifications": {"outbox": {"path": "/dev/null/x"}}})) is None
