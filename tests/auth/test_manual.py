"""docs/access.md: every example of a configuration starts, and the first one does what its heading says."""

from __future__ import annotations

import re
from pathlib import Path

import bcrypt
import pytest
import yaml
from joserfc.jwk import ECKey
from webtest import TestApp

from registry_wsgi.app import build
from registry_wsgi.config import load
from tests import storages
from tests.auth import forge
from tests.stack import push_blob

MANUAL = (Path(__file__).parents[2] / "docs" / "access.md").read_text()
BLOCKS = re.findall(r"\n## ([^\n]+)\n|```yaml\n(.*?)```", MANUAL, re.DOTALL)


def examples() -> dict[str, str]:
    """Return the examples by the title above them."""
    found, title = {}, ""
    for heading, example in BLOCKS:
        title = heading or title
        if example:
            found[title] = example
    return found


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The files that the examples name."""
    (tmp_path / "htpasswd").write_text(f"alice:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    (tmp_path / "token-server.pem").write_bytes(forge.pem(forge.certificate(ECKey.generate_key("P-256"))))
    return tmp_path


def app_of(example: str, directory: Path) -> TestApp:
    moved = re.sub(r"(/etc/registry|/var/lib|/var/log)/", f"{directory}/", example)
    return TestApp(build(load({"storage": storages.new_section(), **yaml.safe_load(moved)})))


@pytest.mark.parametrize("title", examples())
def test_an_example_starts(title: str, directory: Path) -> None:
    example = examples()[title]
    app_of(example, directory).get("/v2/", status=401 if "auth:" in example else 200)


def test_the_first_example_lets_anybody_pull_and_users_push(directory: Path) -> None:
    app = app_of(examples()["Anonymous pull, authenticated push"], directory)
    assert "Basic" in app.post("/v2/a/b/blobs/uploads/", status=401).headers["WWW-Authenticate"]
    app.extra_environ = forge.basic("alice", "secret")
    digest = push_blob(app, "a/b", b"content")
    app.extra_environ = {}
    assert app.get(f"/v2/a/b/blobs/{digest}").body == b"content"
    app.get("/v2/_catalog", status=401)
