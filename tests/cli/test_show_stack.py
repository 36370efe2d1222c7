"""`registry-wsgi show-stack`, and what `serve` says when it starts: the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from registry_wsgi import __version__, config
from registry_wsgi.cli import main
from registry_wsgi.inspection import overview

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

OPEN = "whoever reaches it can push"
OURS = f"registry-wsgi {__version__}"


def overview_of(http: dict[str, Any], **sections: Any) -> str:
    storage = {"filesystem": {"rootdirectory": "/srv/r"}}
    return "\n".join(overview.lines(config.load({"storage": storage, "http": http, **sections})))


def test_address_storage_layers_and_the_origin_of_plugins_are_shown() -> None:
    shown = overview_of(
        {"addr": "127.0.0.1:5001", "prefix": "/a/"},
        auth={"silly": {"realm": "r", "service": "s"}},
        middleware={"storage": [{"name": "redirect", "options": {"baseurl": "https://cdn.example"}}]},
    )
    assert shown.splitlines() == [
        "registry-wsgi listens on http://127.0.0.1:5001/a/v2/",
        f"  storage   filesystem /srv/r  {OURS}",
        f"            in redirect        {OURS}",
        f"  access    silly              {OURS}",
        "  layers    tracing (CONTEXT)",
        "            probes (OBSERVE)",
        "            access (PROTECT)",
        "            caching (ANSWER)",
        "            core",
    ]


def test_the_cache_is_shown_and_no_secret_of_it() -> None:
    storage = {"inmemory": {}, "cache": {"blobdescriptor": "redis"}}
    redis = {"addr": "127.0.0.1:1", "password": "hush"}
    shown = "\n".join(overview.lines(config.load({"storage": storage, "redis": redis})))
    assert "  cache     redis              registry-wsgi-redis " in shown
    assert "hush" not in shown


def test_who_gets_events_is_shown_and_no_url_of_theirs(tmp_path: Path) -> None:
    endpoints = [{"name": "scanner", "url": "http://user:hush@127.0.0.1:1/"}, {"name": "off", "disabled": True}]
    path = str(tmp_path / "outbox")
    shown = overview_of(
        {"addr": "127.0.0.1:5001"}, notifications={"endpoints": endpoints, "outbox": {"path": path}}
    ).splitlines()
    assert [line.split() for line in shown if "scanner" in line or path in line] == [
        ["events", "to", "scanner", "(http)", *OURS.split()],
        ["kept", "in", "sqlite", path, *OURS.split()],
    ]
    assert "hush" not in "".join(shown)
    assert "off" not in "".join(shown)


def test_the_command_shows_it_without_serving(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    document = {"version": 0.1, "storage": "inmemory", "http": {"net": "unix", "addr": "/run/registry.sock"}}
    file.write_text(json.dumps(document))
    result = CliRunner().invoke(main, ["show-stack", str(file)])
    assert result.exit_code == 0
    assert result.output == "\n".join(overview.lines(config.load(document))) + "\n"
    assert result.output.startswith("registry-wsgi listens on /run/registry.sock\n")


def test_a_mistake_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["show-stack", str(tmp_path / "absent.yml")])
    assert (result.exit_code, result.output.count("\n")) == (2, 1)


@pytest.mark.parametrize("addr", [":5000", "0.0.0.0:5000", "192.0.2.1:5000", "[::]:5000", "registry.example.com:80"])
def test_an_open_registry_that_others_reach_warns(addr: str) -> None:
    assert OPEN in overview_of({"addr": addr})


@pytest.mark.parametrize("addr", ["127.0.0.1:5000", "127.8.8.8:80", "localhost:5000", "[::1]:5000"])
def test_one_on_loopback_does_not(addr: str) -> None:
    assert OPEN not in overview_of({"addr": addr})


def test_one_with_access_control_does_not() -> None:
    assert OPEN not in overview_of({"addr": ":5000"}, auth={"silly": {"realm": "r", "service": "s"}})


def test_a_server_says_it_before_the_first_request(serve: Serve, tmp_path: Path) -> None:
    running = serve(tmp_path / "data")
    said = overview.lines(config.load(running.config))
    assert running.log.read_text().startswith("\n".join(said) + "\n")
