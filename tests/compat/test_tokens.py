"""Tokens are registry:2's: Debian's docker-registry takes those that ours issues."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import bcrypt
from joserfc.jwk import ECKey

from tests.auth import forge
from tests.wire import Client, Response

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

SERVICE = "registry.example.com"


def token_for(client: Client, scope: str) -> str:
    headers = {"Authorization": "Basic " + base64.b64encode(b"alice:secret").decode()}
    answer = client.request("GET", f"/auth/token?service={SERVICE}&scope={scope}", headers=headers)
    assert answer.status == 200, answer
    return str(json.loads(answer.body)["token"])


def test_docker_registry_lets_in_whom_ours_gave_a_token(serve: Serve, tmp_path: Path) -> None:
    users, keys, bundle = tmp_path / "htpasswd", tmp_path / "keys", tmp_path / "bundle.pem"
    users.write_text(f"alice:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    issuer = {
        "service": SERVICE,
        "keys": str(keys),
        "users": {"htpasswd": {"realm": "R", "path": str(users)}},
    }
    ours = Client(serve(sections={"auth": {"issuer": issuer}}).url)
    pushing = token_for(ours, "repository:a/b:pull,push")
    (file,) = keys.iterdir()
    bundle.write_bytes(forge.pem(forge.certificate(ECKey.import_key(file.read_bytes()))))
    token = {
        "realm": f"http://{ours.host}/auth/token",
        "service": SERVICE,
        "issuer": "registry-wsgi",
        "rootcertbundle": str(bundle),
    }
    theirs = Client(serve(kind="docker-registry", sections={"auth": {"token": token}}).url)

    def ask(method: str, path: str, text: str) -> Response:
        return theirs.request(method, path, headers={"Authorization": f"Bearer {text}"})

    assert ask("GET", "/v2/", pushing).status == 200
    assert ask("POST", "/v2/a/b/blobs/uploads/", pushing).status == 202
    assert ask("GET", "/v2/a/c/tags/list", pushing).status == 401
    assert ask("POST", "/v2/a/b/blobs/uploads/", token_for(ours, "repository:a/b:pull")).status == 401
    assert ask("GET", "/v2/", pushing[:-4] + "AAAA").status == 401
