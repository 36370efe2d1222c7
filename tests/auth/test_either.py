"""The controller `either`: a password file and a real OpenID provider side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
from webtest import TestApp

from registry_wsgi.app import build
from registry_wsgi.auth.either import EitherController
from registry_wsgi.auth.htpasswd import HtpasswdController
from registry_wsgi.auth.oidc import OIDCController
from registry_wsgi.config import load
from registry_wsgi.context import Context
from registry_wsgi.errors import ConfigurationError, Unauthorized
from registry_wsgi.testing.access import AccessControllerSuite, environ
from tests import storages
from tests.auth import forge
from tests.auth.provider import Provider, provider
from tests.stack import push_blob

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from registry_wsgi.interfaces import Access, Grant

AUDIENCE = "registry.example.com"
CTX = Context()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with provider(tmp_path_factory.mktemp("provider") / "log") as running:
        yield running


@pytest.fixture
def people(tmp_path: Path) -> dict[str, str]:
    """The section of a password file with alice in it."""
    path = tmp_path / "htpasswd"
    path.write_text(f"alice:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    return {"realm": "people", "path": str(path)}


def workloads(platform: Provider) -> dict[str, Any]:
    return {
        "issuer": platform.issuer,
        "audience": AUDIENCE,
        "claims": {"repository_owner": "acme"},
        "user": "{repository}",
    }


def job(platform: Provider, name: str = "ci:app", owner: str = "acme") -> str:
    return platform.token(AUDIENCE, "job", repository=name, repository_owner=owner)


@pytest.fixture
def controller(platform: Provider, people: dict[str, str]) -> EitherController:
    tokens = OIDCController(**workloads(platform))
    return EitherController(tokens=tokens, passwords=HtpasswdController(**people))


class TestEitherOfPeopleIsAController(AccessControllerSuite):
    @pytest.fixture
    def controller(self, controller: EitherController) -> EitherController:
        return controller

    @pytest.fixture
    def credentials(self) -> dict[str, str]:
        return forge.basic("alice", "secret")

    @pytest.fixture
    def wrong_credentials(self) -> dict[str, str]:
        return forge.basic("alice", "wrong")


class TestEitherOfWorkloadsIsAController(TestEitherOfPeopleIsAController):
    user = "ci:app"

    @pytest.fixture(params=["bearer", "basic"])
    def credentials(self, request: pytest.FixtureRequest, platform: Provider) -> dict[str, str]:
        token = job(platform)
        return forge.bearer(token) if request.param == "bearer" else forge.basic("alice", token)

    @pytest.fixture
    def wrong_credentials(self, platform: Provider) -> dict[str, str]:
        return forge.basic("alice", job(platform, owner="evil"))


class Asked:
    """A controller that lets everybody in, and tells that it was asked."""

    def __init__(self) -> None:
        self.times = 0

    def authorize(self, ctx: Context, environ: Mapping[str, object], access: tuple[Access, ...]) -> Grant:
        self.times += 1
        raise Unauthorized(headers={"WWW-Authenticate": "Basic"})

    def recall(self, ctx: Context, user: str) -> None:
        return None


@pytest.mark.parametrize(
    ("header", "to_tokens"),
    [
        ("Bearer e30.e30.e30", True),
        ("Bearer", True),
        ("bearer ,", True),
        (forge.basic("a", forge.unsigned({"alg": "none"}, {}))["HTTP_AUTHORIZATION"], True),
        (forge.basic("a", forge.unsigned({"kid": "x"}, {}))["HTTP_AUTHORIZATION"], False),
        (forge.basic("a", "p.a.ss")["HTTP_AUTHORIZATION"], False),
        (forge.basic("a", "[[[[.a.b")["HTTP_AUTHORIZATION"], False),
        (forge.basic("a", "MQ.e30.e30")["HTTP_AUTHORIZATION"], False),
        (forge.basic("a", "eyJhbGciOjF9.b")["HTTP_AUTHORIZATION"], False),
        ("", False),
        ("Digest x", False),
    ],
)
def test_one_is_asked_by_the_form_and_never_the_other_after_it(header: str, to_tokens: bool) -> None:
    tokens, passwords = Asked(), Asked()
    with pytest.raises(Unauthorized):
        EitherController(tokens=tokens, passwords=passwords).authorize(CTX, environ({"HTTP_AUTHORIZATION": header}), ())
    assert (tokens.times, passwords.times) == ((1, 0) if to_tokens else (0, 1))


def test_who_has_no_credentials_is_asked_for_a_password(controller: EitherController) -> None:
    with pytest.raises(Unauthorized) as raised:
        controller.authorize(CTX, environ({}), ())
    assert raised.value.headers["WWW-Authenticate"] == 'Basic realm="people"'


def test_a_token_in_a_persons_name_is_refused(controller: EitherController, platform: Provider) -> None:
    for credentials, scheme in ((forge.bearer, "Bearer"), (lambda token: forge.basic("x", token), "Basic")):
        ctx = Context()
        with pytest.raises(Unauthorized) as raised:
            controller.authorize(ctx, environ(credentials(job(platform, "alice"))), ())
        assert ctx.rule == "either: a token with the name of somebody who has a password"
        assert raised.value.headers["WWW-Authenticate"].startswith(f"{scheme} realm=")


def test_rules_tell_people_and_workloads_apart(platform: Provider, people: dict[str, str]) -> None:
    users = {"either": {"tokens": {"oidc": workloads(platform)}, "passwords": {"htpasswd": people}}}
    rules = [
        {"allow": ["pull", "push"], "who": "user:ci:app", "repositories": "app/**"},
        {"allow": "*", "who": "user:alice"},
    ]
    app = TestApp(
        build(load({"storage": storages.new_section(), "auth": {"policy": {"users": users, "rules": rules}}}))
    )
    app.extra_environ = forge.basic("oidc", job(platform))
    digest = push_blob(app, "app/image", b"content")
    app.post("/v2/other/blobs/uploads/", status=403)
    app.extra_environ = forge.basic("alice", "secret")
    app.get(f"/v2/app/image/blobs/{digest}", status=200)
    push_blob(app, "other", b"content")


def test_behind_an_issuer_people_get_refresh_tokens_and_workloads_get_none(
    platform: Provider, people: dict[str, str], tmp_path: Path
) -> None:
    users = {"either": {"tokens": {"oidc": workloads(platform)}, "passwords": {"htpasswd": people}}}
    issuer = {"service": "S", "keys": str(tmp_path / "keys"), "users": users}
    app = TestApp(build(load({"storage": storages.new_section(), "auth": {"issuer": issuer}})))
    asked = {"scope": "repository:app/image:pull,push", "offline_token": "true"}
    app.extra_environ = forge.basic("alice", "secret")
    person = app.get("/auth/token", asked).json
    app.extra_environ = forge.basic("alice", job(platform))
    workload = app.get("/auth/token", asked).json
    assert ("refresh_token" in person, "refresh_token" in workload) == (True, False)
    for given in (person, workload):
        app.extra_environ = forge.bearer(given["token"])
        push_blob(app, "app/image", b"content")


def test_who_does_not_know_its_users_cannot_have_the_passwords(tmp_path: Path) -> None:
    silly = {"silly": {"realm": "R", "service": "S"}}
    either = {"tokens": silly, "passwords": silly}
    with pytest.raises(ConfigurationError, match=r"^auth.either: passwords: must be a controller that knows its users"):
        build(load({"storage": "inmemory", "auth": {"either": either}}))
    issuer = {"issuer": {"service": "S", "keys": str(tmp_path / "keys"), "users": silly}}
    with pytest.raises(ConfigurationError, match=r"^auth.either: tokens: an issuer asks this controller"):
        build(load({"storage": "inmemory", "auth": {"either": {**either, "tokens": issuer}}}))
