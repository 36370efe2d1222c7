"""The controller policy: over users of a password file, in the whole stack, and explained on the command line."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
from click.testing import CliRunner
from joserfc.jwk import ECKey
from webtest import TestApp

from registry_wsgi.app import build
from registry_wsgi.auth.htpasswd import HtpasswdController
from registry_wsgi.auth.policy import PolicyController
from registry_wsgi.cli import main
from registry_wsgi.config import load
from registry_wsgi.config.files import DocumentFile
from registry_wsgi.context import Context
from registry_wsgi.errors import ConfigurationError
from registry_wsgi.interfaces import Access
from registry_wsgi.testing.access import AccessControllerSuite
from tests import storages
from tests.auth import forge
from tests.stack import push_blob

if TYPE_CHECKING:
    from pathlib import Path

    from registry_wsgi.interfaces import AccessController

RULES = """
rules:
  - allow: pull
    who: anonymous
    repositories: "public/**"
  - allow: [pull, push]
    who: authenticated
    repositories: "public/**"
  - deny: [push, delete]
    who: "*"
    repositories: public/base/**
    reason: base images come from CI
  - allow: "*"
    who: group:ci
    repositories: public/base/**
  - {allow: catalog, who: authenticated}
  - {allow: "*", who: user:root}
groups:
  ci: [robot]
"""


def line(user: str, password: str) -> str:
    return f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n"


def basic(user: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{user}:{user and 'secret'}".encode()).decode()}


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    path = tmp_path / "htpasswd"
    path.write_text("".join(line(user, "secret") for user in ("alice", "robot", "root")))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yml"
    path.write_text(RULES)
    return path


@pytest.fixture
def config(passwords: Path, file: Path, tmp_path: Path) -> Path:
    path = tmp_path / "config.yml"
    users = f"{{htpasswd: {{realm: R, path: {passwords}}}}}"
    path.write_text(f"version: 0.1\nstorage: inmemory\nauth: {{policy: {{users: {users}, file: {file}}}}}\n")
    return path


@pytest.fixture
def app(config: Path) -> TestApp:
    return TestApp(build(load(config, {})))


def as_user(app: TestApp, user: str) -> TestApp:
    app.extra_environ = basic(user) if user else {}
    return app


class TestPolicyIsAController(AccessControllerSuite):
    granted = (Access("repository", "a/b", "pull"), Access("repository", "a/b", "push"))
    refused = (Access("repository", "a/b", "delete"), Access("repository", "c", "pull"))

    @pytest.fixture
    def controller(self, passwords: Path) -> AccessController:
        rules: list[object] = [{"allow": ["pull", "push"], "who": "user:alice", "repositories": "a/**"}]
        return PolicyController(users=HtpasswdController(realm="R", path=str(passwords)), rules=rules)

    @pytest.fixture
    def credentials(self) -> dict[str, str]:
        return basic("alice")


def test_anonymous_callers_pull_what_is_public_and_are_asked_to_log_in_for_the_rest(app: TestApp) -> None:
    digest = push_blob(as_user(app, "alice"), "public/app", b"content")
    for nobody in ("", " "):
        app.extra_environ = basic("") if nobody else {}
        assert app.get(f"/v2/public/app/blobs/{digest}").body == b"content"
        refused = [app.get("/v2/private/tags/list", status=401), app.post("/v2/public/app/blobs/uploads/", status=401)]
        assert {response.headers["WWW-Authenticate"] for response in refused} == {'Basic realm="R"'}


def test_the_base_of_the_api_is_where_clients_learn_to_log_in(app: TestApp) -> None:
    as_user(app, "").get("/v2/", status=401)
    as_user(app, "alice").get("/v2/", status=200)


def test_what_no_client_would_ask_for_is_not_remembered(passwords: Path) -> None:
    rules: list[object] = [{"allow": "pull", "who": "*"}]
    controller = PolicyController(users=HtpasswdController(realm="R", path=str(passwords)), rules=rules)
    usual = (Access("repository", "a", "pull"),)
    for access in (usual, usual, (Access("repository", "a" * 300, "pull"),), usual * 10):
        controller.authorize(Context(), basic("alice"), access)  # type: ignore[arg-type]
    assert controller._remembered.cache_info()[:2] == (1, 1)


def test_wrong_credentials_are_not_taken_for_none(app: TestApp) -> None:
    app.extra_environ = {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(b"alice:wrong").decode()}
    app.get("/v2/public/app/tags/list", status=401)


def test_a_known_user_is_told_the_reason(app: TestApp) -> None:
    error = as_user(app, "alice").post("/v2/public/base/x/blobs/uploads/", status=403).json["errors"][0]
    assert (error["code"], error["detail"]) == ("DENIED", "base images come from CI")
    error = app.delete("/v2/public/app/manifests/v1", status=403).json["errors"][0]
    assert error["detail"] == "alice may not delete public/app: no rule allows it"


def test_a_member_of_a_group_may_what_the_group_may(app: TestApp) -> None:
    push_blob(as_user(app, "robot"), "public/base/x", b"content")


def test_the_catalog_shows_what_the_caller_may_pull(app: TestApp) -> None:
    for name in ("a", "public/x", "public/y", "secret", "z"):
        push_blob(as_user(app, "root"), name, b"content")
    assert app.get("/v2/_catalog").json["repositories"] == ["a", "public/x", "public/y", "secret", "z"]
    first = as_user(app, "alice").get("/v2/_catalog?n=1")
    assert first.json["repositories"] == ["public/x"]
    second = app.get(first.headers["Link"].split(">")[0].lstrip("<"))
    assert second.json["repositories"] == ["public/y"]
    assert "Link" not in second.headers
    as_user(app, "").get("/v2/_catalog", status=401)


def test_absent_and_forbidden_look_the_same(app: TestApp) -> None:
    push_blob(as_user(app, "root"), "secret", b"content")
    digest = push_blob(app, "public/app", b"other")
    for user, status in (("alice", 403), ("", 401)):
        for path in ("{}/tags/list", "{}/manifests/v1", f"{{}}/blobs/{digest}", f"public/app/blobs/{digest}?from={{}}"):
            answers = [
                as_user(app, user).get(f"/v2/{path.format(name)}", status=status) for name in ("secret", "absen")
            ]
            bodies = [answer.text.replace("secret", "X").replace("absen", "X") for answer in answers]
            assert bodies[0] == bodies[1]


def test_a_changed_file_counts_at_once_and_a_broken_one_changes_nothing(app: TestApp, file: Path) -> None:
    as_user(app, "alice").get("/v2/private/x/tags/list", status=403)
    file.write_text(RULES.replace("public/**", "private/**"))
    app.get("/v2/private/x/tags/list", status=404)
    for broken in ("rules: [", "rules: [{allow: pul, who: '*'}]", "- a", "groups: {}"):
        file.write_text(broken)
        app.get("/v2/private/x/tags/list", status=404)
    os.rename(file, f"{file}.away")
    app.get("/v2/private/x/tags/list", status=404)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({}, "either rules or file is required"),
        ({"rules": [], "file": "x"}, "either rules or file is required"),
        ({"rules": [{"allow": "pull"}]}, r"rules\[0\]\.who"),
        ({"file": "no/such/file"}, "cannot read no/such/file"),
    ],
)
def test_a_policy_that_is_none_does_not_start(section: dict[str, object], message: str) -> None:
    auth = {"policy": {"users": {"silly": {"realm": "R", "service": "S"}}, **section}}
    with pytest.raises(ConfigurationError, match=message):
        build(load({"storage": "inmemory", "auth": auth}))


@pytest.fixture
def issuing(config: Path, tmp_path: Path) -> TestApp:
    """A registry that issues tokens to whom the policy lets in."""
    auth = load(config, {}).auth
    assert auth
    issuer = {"service": "S", "keys": str(tmp_path / "keys"), "users": {"policy": auth.parameters}}
    return TestApp(build(load({"storage": storages.new_section(), "auth": {"issuer": issuer}})))


def token(app: TestApp, scope: str, user: str = "", **fields: str) -> Any:
    return as_user(app, user).get("/auth/token", {"scope": scope, **fields}).json


def access_of(document: Any) -> Any:
    return jwt_claims(document["token"])["access"]


def jwt_claims(text: str) -> Any:
    payload = text.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_a_policy_says_what_an_issuers_tokens_list(issuing: TestApp) -> None:
    scope = "repository:public/base/x:pull,push repository:private:pull"
    assert access_of(token(issuing, scope)) == [{"type": "repository", "name": "public/base/x", "actions": ["pull"]}]
    robots = token(issuing, scope, "robot")
    both = [{"type": "repository", "name": "public/base/x", "actions": ["pull", "push"]}]
    assert jwt_claims(robots["token"])["groups"] == ["ci"]
    assert access_of(robots) == both


def test_a_refresh_token_is_worth_what_the_rules_say_now(issuing: TestApp, file: Path) -> None:
    given = token(issuing, "", "robot", offline_token="true")["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": given, "scope": "repository:public/base/x:push"}
    issuing.extra_environ = {}
    assert access_of(issuing.post("/auth/token", form).json)
    file.write_text(RULES.replace("[robot]", "[alice]"))
    assert access_of(issuing.post("/auth/token", form).json) == []


def test_an_issuer_belongs_around_a_policy_and_not_into_it(passwords: Path, tmp_path: Path) -> None:
    users = {"htpasswd": {"realm": "R", "path": str(passwords)}}
    issuer = {"service": "S", "keys": str(tmp_path / "keys"), "users": users}
    auth = {"policy": {"users": {"issuer": issuer}, "rules": []}}
    with pytest.raises(ConfigurationError, match="the other way round"):
        build(load({"storage": "inmemory", "auth": auth}))


def test_of_a_token_its_groups_count_and_no_more_than_it_lists(tmp_path: Path) -> None:
    key = ECKey.generate_key("P-256")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(forge.pem(forge.certificate(key)))
    users = {
        "realm": "https://auth",
        "service": forge.SERVICE,
        "issuer": forge.ISSUER,
        "rootcertbundle": str(bundle),
    }
    rules = [{"allow": ["pull", "push", "delete"], "who": "group:ci", "repositories": "a/**"}]
    app = TestApp(
        build(
            load({"storage": storages.new_section(), "auth": {"policy": {"users": {"token": users}, "rules": rules}}})
        )
    )

    def bearer(**changes: object) -> dict[str, str]:
        return forge.bearer(forge.token(key, forge.claims(**changes), kid=forge.kid_of(key)))

    app.extra_environ = bearer(groups=["ci"])
    app.post("/v2/a/b/blobs/uploads/", status=202)
    assert "insufficient_scope" in app.delete("/v2/a/b/manifests/v1", status=401).headers["WWW-Authenticate"]
    for groups in (["other"], "ci", [["ci"]], None):
        app.extra_environ = bearer(groups=groups)
        assert app.post("/v2/a/b/blobs/uploads/", status=403).json["errors"][0]["code"] == "DENIED"


def test_whom_the_users_recall_the_policy_recalls(passwords: Path, file: Path) -> None:
    controller = PolicyController(
        users=HtpasswdController(realm="R", path=str(passwords)), file=DocumentFile(str(file))
    )
    recalled = controller.recall(Context(), "alice")
    assert recalled is not None
    assert recalled[0].may(Access("repository", "public/x", "push"))
    assert not recalled[0].may(Access("repository", "x", "push"))
    assert controller.recall(Context(), "nobody") is None


@pytest.mark.parametrize(
    ("words", "status", "output"),
    [
        ("anonymous pull public/app", 0, "allowed by rule 1: allow pull to anonymous on public/**\n"),
        ("anonymous push public/app", 1, "denied: no rule allows it\n"),
        (
            "alice push public/base/x",
            1,
            "denied by rule 3: deny push, delete to * on public/base/**\nreason: base images come from CI\n",
        ),
        ("robot push public/base/x", 0, "allowed by rule 4: allow * to group:ci on public/base/**\n"),
        ("alice catalog -", 0, "allowed by rule 5: allow catalog to authenticated on **\n"),
        ("--group=ci eve delete public/base/x", 0, "allowed by rule 4: allow * to group:ci on public/base/**\n"),
    ],
)
def test_the_command_says_which_rule_decides(words: str, status: int, output: str, config: Path) -> None:
    result = CliRunner().invoke(main, ["policy", "explain", *words.split(), str(config)])
    assert (result.exit_code, result.output) == (status, output)


@pytest.mark.parametrize("words", ["alice fly public/app", "alice pull UPPER"])
def test_the_command_refuses_what_is_no_question(words: str, config: Path) -> None:
    assert CliRunner().invoke(main, ["policy", "explain", *words.split(), str(config)]).exit_code == 2


def test_the_command_needs_a_policy(tmp_path: Path) -> None:
    path = tmp_path / "open.yml"
    path.write_text("version: 0.1\nstorage: inmemory\n")
    result = CliRunner().invoke(main, ["policy", "explain", "alice", "pull", "a", str(path)])
    assert result.exit_code == 2
