"""examples/flask_host: the site stays what it was, and /v2/ is a registry."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import registry_wsgi
from tests.images import KB, Layout
from tests.wire import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient

    from tests.examples.conftest import Start

EXAMPLE = Path(__file__).parents[2] / "examples" / "flask_host"


def logging_state() -> dict[str, Any]:
    """Return what decides over log lines: levels, handlers, propagation, of every logger there is."""
    loggers = {"": logging.getLogger()} | {
        name: logger for name, logger in logging.root.manager.loggerDict.items() if isinstance(logger, logging.Logger)
    }
    return {
        name: (logger.level, list(logger.handlers), logger.propagate, logger.disabled, list(logger.filters))
        for name, logger in loggers.items()
    }


class Mounted:
    """What the example made of itself, and the logging before and after its call of `mount`."""

    before: dict[str, Any]
    after: dict[str, Any]
    client: FlaskClient


@pytest.fixture
def registry_logger() -> Iterator[None]:
    """Give the registry's loggers as they are in a new process, whatever tests did to them before."""
    loggers = [logging.getLogger(name) for name in ("registry_wsgi", "registry_wsgi.access")]
    kept = [(each.level, each.handlers, each.propagate, each.disabled) for each in loggers]
    for each in loggers:
        each.level, each.handlers, each.propagate, each.disabled = logging.NOTSET, [], True, False
        each.manager._clear_cache()  # type: ignore[attr-defined]
    yield
    for each, (level, handlers, propagate, disabled) in zip(loggers, kept, strict=True):
        each.level, each.handlers, each.propagate, each.disabled = level, handlers, propagate, disabled
        each.manager._clear_cache()  # type: ignore[attr-defined]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, registry_logger: None) -> Mounted:
    mounted, mount = Mounted(), registry_wsgi.mount

    def observed(*arguments: Any, **options: Any) -> Any:
        mounted.before = logging_state()
        application = mount(*arguments, **options)
        mounted.after = logging_state()
        return application

    monkeypatch.setattr(registry_wsgi, "mount", observed)
    monkeypatch.setattr("sys.dont_write_bytecode", True)  # examples stay as they are in the repository
    monkeypatch.setenv("SITE_REGISTRY", str(tmp_path))
    spec = importlib.util.spec_from_file_location("flask_host_app", EXAMPLE / "app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    mounted.client = module.app.test_client()
    return mounted


def test_the_sites_pages_and_its_404_are_its_own(site: Mounted) -> None:
    assert site.client.get("/").text == "<h1>Our site</h1>\n"
    assert site.client.get("/about").text == "<h1>About us</h1>\n"
    for path in ("/nothing", "/v1/", "/v20/", "/v2x", "/about/v2/"):
        answer = site.client.get(path)
        assert (answer.status_code, answer.text) == (404, "<h1>Not on our site</h1>\n")
        assert "Docker-Distribution-API-Version" not in answer.headers


def test_below_v2_is_the_registry_with_404s_of_its_own(site: Mounted) -> None:
    answer = site.client.get("/v2/")
    assert (answer.status_code, answer.json) == (200, {})
    assert answer.headers["Docker-Distribution-API-Version"] == "registry/2.0"
    for path in ("/v2/nothing", "/v2/a/b/manifests/latest"):
        answer = site.client.get(path)
        assert answer.status_code == 404
        assert answer.json
        assert answer.json["errors"][0]["code"]


def test_the_sites_logging_is_as_it_was(site: Mounted, caplog: pytest.LogCaptureFixture) -> None:
    site.client.get("/v2/")
    assert {name: site.after[name] for name in site.before} == site.before
    for name in ("registry_wsgi", "registry_wsgi.access"):
        logger = logging.getLogger(name)
        assert (logger.level, logger.handlers, logger.propagate, logger.disabled) == (0, [], True, False)


def test_the_registrys_lines_go_where_the_sites_go(site: Mounted, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        site.client.get("/v2/")
    assert "response completed" in [record.getMessage() for record in caplog.records if record.name == "registry_wsgi"]


def test_an_image_is_pushed_to_the_site_and_pulled_from_it(start_gunicorn: Start, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    image = layout.add_image([KB, 100 * KB], "v1")
    server = start_gunicorn(
        *("flask_host", "--threads", "4", "--no-control-socket", "app:app"),
        environment={"SITE_REGISTRY": str(tmp_path / "data")},
    )
    client = Client(server.url)
    for digest in layout.digests():
        if digest != image.digest:
            client.push_blob("our/image", layout.read(digest))
    media_type = image.descriptor["mediaType"]
    assert client.push_manifest("our/image", "v1", layout.read(image.digest), media_type) == image.digest
    assert client.manifest("our/image", "v1").body == layout.read(image.digest)
    for layer in image.manifest["layers"]:
        assert client.blob("our/image", layer["digest"]).body == layout.read(layer["digest"])
    assert client.request("GET", "/about").body == b"<h1>About us</h1>\n"
    assert client.request("GET", "/nothing").body == b"<h1>Not on our site</h1>\n"
    assert "INFO registry_wsgi: response completed\n" in server.log.read_text()
