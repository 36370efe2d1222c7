"""Clients log in to a registry that is its own token server, and get as far as their user may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bcrypt
import pytest

from tests.auth.provider import provider
from tests.images import KB, Layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.clients.conftest import Machine
    from tests.conftest import Serve
    from tests.servers import Server

EXACT = ["--preserve-digests"]


@pytest.fixture(params=["granian", "gunicorn"])
def issuing(request: pytest.FixtureRequest, serve: Serve, tmp_path: Path) -> Server:
    """A registry for alice alone; of gunicorn with several workers, which share the keys."""
    users = tmp_path / "htpasswd"
    users.write_text(f"alice:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    issuer = {
        "service": "registry.example.com",
        "keys": str(tmp_path / "keys"),
        "users": {"htpasswd": {"realm": "R", "path": str(users)}},
    }
    several = ("--workers", "3") if request.param == "gunicorn" else ()
    return serve(kind=request.param, sections={"auth": {"issuer": issuer}}, arguments=several)


def log_in(client: Callable[..., bytes], host: str, password: str) -> None:
    client("login", "--tls-verify=false", "--username", "alice", "--password", password, host)


def test_skopeo_logs_in_pushes_pulls_and_deletes(
    issuing: Server, machine: Callable[[str], Machine], layout: Layout, tmp_path: Path
) -> None:
    layout.add_image([KB, 100 * KB], "v1")
    source = f"docker://{issuing.host}/team/image:v1"
    client = machine("client")
    log_in(client.skopeo, issuing.host, "secret")
    client.skopeo("copy", "--dest-tls-verify=false", *EXACT, f"oci:{layout.directory}:v1", source)
    pulled = Layout(tmp_path / "pulled")
    client.skopeo("copy", "--src-tls-verify=false", *EXACT, source, f"oci:{pulled.directory}:v1")
    assert pulled.digests() == layout.digests()
    client.skopeo("delete", "--tls-verify=false", source)


def test_podman_logs_in_pushes_and_pulls(issuing: Server, machine: Callable[[str], Machine], layout: Layout) -> None:
    image = layout.add_image([KB], "v1")
    target = f"{issuing.host}/team/podman:v1"
    client = machine("client")
    log_in(client.podman, issuing.host, "secret")
    client.podman("pull", "--quiet", f"oci:{layout.directory}:v1")
    identity = image.config_digest.removeprefix("sha256:")
    client.podman("push", "--tls-verify=false", identity, f"docker://{target}")
    client.podman("rmi", "--force", identity)
    assert client.podman("pull", "--quiet", "--tls-verify=false", target).decode().strip() == identity


def test_whoever_is_not_logged_in_gets_nothing(
    issuing: Server, machine: Callable[[str], Machine], layout: Layout
) -> None:
    layout.add_image([KB], "v1")
    stranger = machine("stranger")
    with pytest.raises(pytest.fail.Exception, match="invalid username/password"):
        log_in(stranger.skopeo, issuing.host, "wrong")
    target = f"docker://{issuing.host}/team/image:v1"
    for command in (
        ("copy", "--dest-tls-verify=false", f"oci:{layout.directory}:v1", target),
        ("inspect", "--tls-verify=false", target),
    ):
        with pytest.raises(pytest.fail.Exception, match=r"authentication required|unauthorized"):
            stranger.skopeo(*command)


def test_skopeo_logs_in_with_the_identity_token_of_its_workload(
    serve: Serve, machine: Callable[[str], Machine], layout: Layout, tmp_path: Path
) -> None:
    layout.add_image([KB], "v1")
    push = ("copy", "--dest-tls-verify=false", f"oci:{layout.directory}:v1")
    login = ("login", "--tls-verify=false", "--username", "oidc", "--password")
    with provider(tmp_path / "provider.log") as platform:
        identity = {"issuer": platform.issuer, "audience": "registry", "claims": {"owner": "acme"}}
        rules = [{"allow": ["pull", "push"], "who": "user:acme/app", "repositories": "acme/app"}]
        policy = {"users": {"oidc": {**identity, "user": "{repository}"}}, "rules": rules}
        issuer = {"service": "registry", "keys": str(tmp_path / "keys"), "users": {"policy": policy}}
        server = serve(sections={"auth": {"issuer": issuer}})
        client = machine("runner")
        client.skopeo(*login, platform.token("registry", "job", owner="acme", repository="acme/app"), server.host)
        client.skopeo(*push, f"docker://{server.host}/acme/app:v1")
        with pytest.raises(pytest.fail.Exception, match=r"denied|unauthorized|authentication required"):
            client.skopeo(*push, f"docker://{server.host}/acme/other:v1")
        with pytest.raises(pytest.fail.Exception, match="invalid username/password"):
            client.skopeo(*login, platform.token("registry", "job", owner="evil"), server.host)
