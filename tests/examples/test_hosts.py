"""examples/*_host: a site of each framework stays what it was, and /v2/ is a registry that skopeo pushes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import skopeo
from tests.wire import Client

if TYPE_CHECKING:
    from pathlib import Path

    from tests import servers
    from tests.examples.conftest import Start

HOSTS = {
    "flask_host": ("gunicorn", "--threads=8", "app:app"),
    "bottle_host": ("gunicorn", "--threads=8", "app:application"),
    "dispatcher_host": ("gunicorn", "--threads=8", "app:application"),
    "asgi_host": ("uvicorn", "app:site"),
}


@pytest.fixture(params=HOSTS)
def site(request: pytest.FixtureRequest, start_gunicorn: Start, tmp_path: Path) -> servers.Server:
    program, *arguments = HOSTS[request.param]
    environment = {"SITE_REGISTRY": str(tmp_path / "data")}
    return start_gunicorn(request.param, *arguments, environment=environment, program=program)


def test_an_image_goes_to_the_registry_and_all_else_to_the_site(site: servers.Server, tmp_path: Path) -> None:
    client = Client(site.url)
    assert client.request("GET", "/").body == b"<h1>Our site</h1>\n"
    for path in ("/nothing", "/v2x", "/a/v2/"):
        answer = client.request("GET", path)
        assert (answer.status, answer.body) == (404, b"<h1>Not on our site</h1>\n")
    answer = client.request("GET", "/v2/")
    assert (answer.status, answer.headers["Docker-Distribution-API-Version"]) == (200, "registry/2.0")
    answer = client.request("GET", "/v2/nothing")
    assert (answer.status, list(answer.json())) == (404, ["errors"])

    skopeo.round_trip(site.host, tmp_path)
    assert client.request("GET", "/v2/example/image/tags/list").json() == {"name": "example/image", "tags": ["v1"]}
