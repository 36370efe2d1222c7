"""The controller policy: rules over the users of another controller."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import bcrypt
import pytest
from click.testing import CliRunner
from webtest import TestApp

from registry_wsgi.app import build
from registry_wsgi.cli import main
from registry_wsgi.config import load
from tests.stack import push_blob

if TYPE_CHECKING:
    from pathlib import Path

RULES = [
    {"allow": "pull", "who": "*", "repositories": "public/**"},
    {"allow": ["pull", "push"], "who": "authenticated", "repositories": "public/**"},
    {"deny": "push", "who": "authenticated", "repositories": "public/frozen", "reason": "frozen until Friday"},
]


def auth_of(directory: Path) -> dict[str, object]:
    path = directory / "htpasswd"
    path.write_text("alice:" + bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode())
    return {"policy": {"users": {"htpasswd": {"realm": "R", "path": str(path)}}, "rules": RULES}}


@pytest.fixture
def app(tmp_path: Path) -> TestApp:
    return TestApp(build(load({"storage": "inmemory", "auth": auth_of(tmp_path)})))


def as_alice(app: TestApp) -> TestApp:
    app.extra_environ = {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(b"alice:secret").decode()}
    return app


def test_anyone_pulls_and_only_users_push(app: TestApp) -> None:
    challenge = app.post("/v2/public/a/blobs/uploads/", status=401).headers["WWW-Authenticate"]
    assert challenge == 'Basic realm="R"'
    digest = push_blob(as_alice(app), "public/a", b"content")
    app.extra_environ = {}
    assert app.get(f"/v2/public/a/blobs/{digest}").body == b"content"


def test_a_user_who_is_denied_is_told_the_reason(app: TestApp) -> None:
    error = as_alice(app).post("/v2/public/frozen/blobs/uploads/", status=403).json["errors"][0]
    assert (error["code"], error["detail"]) == ("DENIED", "frozen until Friday")


def test_what_no_rule_allows_is_refused(app: TestApp) -> None:
    app.get("/v2/private/tags/list", status=401)
    as_alice(app).get("/v2/private/tags/list", status=403)


def test_wrong_credentials_are_no_anonymous_ones(app: TestApp) -> None:
    app.extra_environ = {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(b"alice:wrong").decode()}
    app.get("/v2/public/a/tags/list", status=401)


@pytest.mark.parametrize(
    ("user", "action", "repository", "code", "said"),
    [
        ("anonymous", "pull", "public/a", 0, "allowed by rule 1"),
        ("alice", "push", "public/a", 0, "allowed by rule 2"),
        ("alice", "push", "public/frozen", 1, "reason: frozen until Friday"),
        ("anonymous", "push", "public/a", 1, "denied"),
        ("alice", "pull", "UPPER", 2, ""),
    ],
)
def test_the_command_explains_a_decision(
    user: str, action: str, repository: str, code: int, said: str, tmp_path: Path
) -> None:
    import yaml

    config = tmp_path / "config.yml"
    config.write_text(yaml.safe_dump({"version": 0.1, "storage": "inmemory", "auth": auth_of(tmp_path)}))
    result = CliRunner().invoke(main, ["policy", "explain", user, action, repository, str(config)])
    assert result.exit_code == code, result.output
    assert said in result.output
