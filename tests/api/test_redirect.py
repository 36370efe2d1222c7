"""Blobs that clients get from somewhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from webtest import TestApp

from registry_wsgi.app import build
from registry_wsgi.config import load
from registry_wsgi.errors import ConfigurationError
from tests.stack import push_blob

if TYPE_CHECKING:
    from pathlib import Path

REDIRECT = {"name": "redirect", "options": {"baseurl": "https://cdn.example.com/registry/"}}


def app_with(*middleware: dict[str, object], **storage: object) -> TestApp:
    return TestApp(build(load({"storage": {"inmemory": {}, **storage}, "middleware": {"storage": list(middleware)}})))


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_blob_is_a_307_to_its_path_below_the_base_url(method: str) -> None:
    app = app_with(REDIRECT)
    digest = push_blob(app, "a", b"content")
    response = getattr(app, method)(f"/v2/a/blobs/{digest}", status=307)
    path = f"/docker/registry/v2/blobs/sha256/{digest.hex[:2]}/{digest.hex}/data"
    assert response.headers["Location"] == f"https://cdn.example.com/registry{path}"
    assert "Docker-Content-Digest" not in response.headers
    assert "ETag" not in response.headers


def test_nobody_is_sent_to_a_blob_that_the_repository_does_not_have() -> None:
    app = app_with(REDIRECT)
    digest = push_blob(app, "a", b"content")
    app.get(f"/v2/b/blobs/{digest}", status=404)


def test_what_the_client_has_already_is_a_304() -> None:
    app = app_with(REDIRECT)
    digest = push_blob(app, "a", b"content")
    app.get(f"/v2/a/blobs/{digest}", headers={"If-None-Match": f'"{digest}"'}, status=304)


def test_redirects_can_be_turned_off() -> None:
    app = app_with(REDIRECT, redirect={"disable": True})
    assert app.get(f"/v2/a/blobs/{push_blob(app, 'a', b'content')}", status=200).body == b"content"


def test_manifests_and_everything_else_come_through_the_registry(tmp_path: Path) -> None:
    app = app_with(REDIRECT)
    app.get("/v2/", status=200)
    app.get("/v2/a/tags/list", status=404)


def test_the_urls_of_the_driver_can_be_rewritten() -> None:
    options = {"scheme": "http", "host": "edge:8080", "trimpathprefix": "/registry/docker"}
    app = app_with(REDIRECT, {"name": "rewrite", "options": options})
    digest = push_blob(app, "a", b"content")
    location = app.get(f"/v2/a/blobs/{digest}", status=307).headers["Location"]
    assert location == f"http://edge:8080/registry/v2/blobs/sha256/{digest.hex[:2]}/{digest.hex}/data"


def test_rewriting_nothing_is_nothing() -> None:
    app = app_with({"name": "rewrite", "options": {"host": "edge"}})
    assert app.get(f"/v2/a/blobs/{push_blob(app, 'a', b'content')}", status=200).body == b"content"


@pytest.mark.parametrize(
    ("middleware", "message"),
    [
        ({"name": "redirect"}, "baseurl"),
        ({"name": "redirect", "options": {"baseurl": "cdn.example.com"}}, "absolute URL"),
        ({"name": "rewrite", "options": {"scheme": "ftp"}}, "http or https"),
        ({"name": "rewrite", "options": {"port": 1}}, "port"),
        ({"name": "cloudfront", "options": {"baseurl": "x"}}, "middleware.storage"),
    ],
)
def test_a_middleware_that_cannot_be_does_not_start(middleware: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as raised:
        app_with(middleware)
    assert "middleware.storage[0]" in str(raised.value)
