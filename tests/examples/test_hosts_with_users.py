"""Sites with users of their own: skopeo logs in as one of them, pushes where that one may, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.conftest import Machine
from tests.images import KB, Layout
from tests.wire import Client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.examples.conftest import Start

SITES = {"django_host": "app:application", "pyramid_host": "app:application", "flask_host": "users:app"}


@pytest.mark.parametrize("site", SITES)
def test_skopeo_pushes_as_a_user_of_the_site_and_is_refused_as_another(
    site: str, start_gunicorn: Start, tmp_path: Path
) -> None:
    server = start_gunicorn(
        *(site, "--threads", "4", "--no-control-socket", SITES[site]),
        environment={
            "SITE_DATA": str(tmp_path / "site"),
            "SITE_REGISTRY": str(tmp_path / "site"),
            "SITE_USERS": "ann:secret bob:other",
        },
    )
    layout = Layout(tmp_path / "layout")
    layout.add_image([KB], "v1")
    push = ("copy", "--dest-tls-verify=false", f"oci:{layout.directory}:v1", f"docker://{server.host}/ann/image:v1")
    ann, bob = (Machine(tmp_path / name, tmp_path / f"run-{name}") for name in ("ann", "bob"))
    for machine, name, password in ((ann, "ann", "secret"), (bob, "bob", "other")):
        login = ("login", "--tls-verify=false", "--username", name, "--password")
        with pytest.raises(pytest.fail.Exception, match="invalid username/password"):
            machine.skopeo(*login, "wrong", server.host)
        machine.skopeo(*login, password, server.host)
    ann.skopeo(*push)
    assert b'"v1"' in ann.skopeo("list-tags", "--tls-verify=false", f"docker://{server.host}/ann/image")
    with pytest.raises(pytest.fail.Exception, match=r"denied|unauthorized|authentication required|Forbidden"):
        bob.skopeo(*push)
    client = Client(server.url)
    assert client.request("GET", "/v2/ann/image/tags/list").status == 401
    assert client.request("GET", "/").body.startswith(b"<h1>Our site</h1>\n<p>")


def test_a_session_of_the_site_is_one_of_the_registry(start_gunicorn: Start, tmp_path: Path) -> None:
    server = start_gunicorn(
        *("flask_host", "--no-control-socket", SITES["flask_host"]),
        environment={"SITE_REGISTRY": str(tmp_path / "site"), "SITE_USERS": "ann:secret"},
    )
    client = Client(server.url)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.request("POST", "/login", b"name=ann&password=wrong", form).status == 403
    cookie = client.request("POST", "/login", b"name=ann&password=secret", form).headers["Set-Cookie"]
    assert client.request("GET", "/v2/_catalog", headers={"Cookie": cookie}).json() == {"repositories": []}
    assert client.request("GET", "/v2/_catalog").status == 401
    assert client.request("POST", "/v2/bob/image/blobs/uploads/", b"", {"Cookie": cookie}).status == 403
