"""The controller `issuer`: the registry as its own token server."""

from __future__ import annotations

import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from webtest import TestApp

from registry_wsgi import mount
from registry_wsgi.app import build
from registry_wsgi.auth.challenge import basic_challenge, basic_credentials
from registry_wsgi.auth.function import CallableController
from registry_wsgi.auth.issuer import IssuerController
from registry_wsgi.auth.scopes import asked, granted
from registry_wsgi.auth.signing import SigningKeys
from registry_wsgi.config import load
from registry_wsgi.context import Context
from registry_wsgi.errors import ConfigurationError, Denied
from registry_wsgi.interfaces import Access, Grant
from tests import storages
from tests.auth import forge
from tests.stack import push_blob

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CTX = Context()
SERVICE = "registry.example.com"
DAY = 24 * 3600
HASHED = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()


@pytest.fixture
def htpasswd(tmp_path: Path) -> Path:
    path = tmp_path / "htpasswd"
    path.write_text(f"alice:{HASHED}\n")
    return path


@pytest.fixture
def app(tmp_path: Path, htpasswd: Path) -> TestApp:
    users = {"htpasswd": {"realm": "R", "path": str(htpasswd)}}
    issuer = {"service": SERVICE, "keys": str(tmp_path / "keys"), "users": users}
    return TestApp(build(load({"storage": storages.new_section(), "auth": {"issuer": issuer}})))


def authorize(environ: Mapping[str, Any], access: tuple[Access, ...]) -> Grant:
    """Let anybody pull below public/, and alice do everything below team/ but delete."""
    user = ""
    if "HTTP_AUTHORIZATION" in environ:
        if basic_credentials(environ) != ("alice", "secret"):  # type: ignore[arg-type]
            raise basic_challenge("R", access)
        user = "alice"

    def may(wanted: Access) -> bool:
        public = wanted.type == "repository" and wanted.name.startswith("public/") and wanted.action == "pull"
        return public or (user == "alice" and wanted.name.startswith("team/") and wanted.action in ("pull", "push"))

    if not user and not (access and all(map(may, access))):
        raise basic_challenge("R", access)  # as a policy does: whoever asks for nothing wants to log in
    if not all(map(may, access)):
        raise Denied("it is not yours")
    return Grant(user, may)


@pytest.fixture
def hosted(tmp_path: Path) -> TestApp:
    """A registry in which anybody may pull something."""
    users = CallableController(function=authorize)
    controller = IssuerController(service=SERVICE, keys=str(tmp_path / "keys"), users=users)
    return TestApp(build(load({"storage": storages.new_section()}), controller))


def get_token(app: TestApp, scope: str = "", user: str = "alice:secret", status: int = 200, **query: str) -> Any:
    name, _, password = user.partition(":")
    app.authorization = ("Basic", (name, password)) if user else None
    response = app.get(
        "/auth/token", {"service": SERVICE, **({"scope": scope} if scope else {}), **query}, status=status
    )
    app.authorization = None
    return response


def said(app: TestApp, token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(app.get("/auth/jwks.json").json)
    return jwt.decode(token, keys, algorithms=["ES256"]).claims


# ── a client's way ────────────────────────────────────────────────────────────────────────────


def test_a_client_is_sent_to_the_registry_itself_and_gets_in_with_what_it_is_given(app: TestApp) -> None:
    challenge = app.post("/v2/a/b/blobs/uploads/", status=401).headers["WWW-Authenticate"]
    scope = "repository:a/b:pull,push"
    assert challenge == f'Bearer realm="http://localhost:80/auth/token",service="{SERVICE}",scope="{scope}"'
    app.authorization = ("Bearer", get_token(app, scope).json["token"])
    digest = push_blob(app, "a/b", b"content")
    assert app.get(f"/v2/a/b/blobs/{digest}").body == b"content"
    assert app.get("/v2/").status_int == 200
    assert "insufficient_scope" in app.get("/v2/a/c/tags/list", status=401).headers["WWW-Authenticate"]
    assert "insufficient_scope" in app.delete(f"/v2/a/b/blobs/{digest}", status=401).headers["WWW-Authenticate"]


def test_the_answer_is_what_dockers_specification_says(app: TestApp) -> None:
    response = get_token(app, "repository:a/b:pull", account="alice", client_id="docker")
    document = response.json
    assert document["token"] == document["access_token"]
    assert document["expires_in"] == 300
    issued = time.mktime(time.strptime(document["issued_at"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert abs(issued - time.time()) < 5
    assert "refresh_token" not in document
    assert (response.headers["Cache-Control"], response.headers["Pragma"]) == ("no-store", "no-cache")
    claims = said(app, document["token"])
    assert claims["sub"] == "alice"
    assert claims["aud"] == SERVICE
    assert claims["exp"] - claims["iat"] == 300
    assert claims["access"] == [{"type": "repository", "name": "a/b", "actions": ["pull"]}]


@pytest.mark.parametrize("user", ["", "alice:wrong", "bob:secret", ":", "alice\0:secret"])
def test_nobody_gets_a_token_where_everybody_has_to_log_in(app: TestApp, user: str) -> None:
    response = get_token(app, "repository:a/b:pull", user, status=401)
    assert response.headers["WWW-Authenticate"] == 'Basic realm="R"'
    assert "token" not in response.json


def test_anybody_gets_what_anybody_may(hosted: TestApp) -> None:
    token = get_token(hosted, "repository:team/x:pull repository:public/x:pull,push", "").json["token"]
    claims = said(hosted, token)
    assert claims["sub"] == ""
    assert claims["access"] == [{"type": "repository", "name": "public/x", "actions": ["pull"]}]
    for scope in ("", "repository:team/x:pull", "repository:public/x:push"):
        get_token(hosted, scope, "", status=401)
    get_token(hosted, "repository:public/x:pull", "alice:wrong", status=401)


@pytest.mark.parametrize(
    ("scope", "access"),
    [
        ("repository:team/x:pull,push,delete", {"team/x": ["pull", "push"]}),
        ("repository:team/x:*", {"team/x": ["pull", "push"]}),
        ("repository:team/x:pull repository:secret:pull", {"team/x": ["pull"]}),
        ("repository:team/x:pull repository:team/y:push", {"team/x": ["pull"], "team/y": ["push"]}),
        ("registry:catalog:*", {}),
        ("repository:other/x:pull", {}),
    ],
)
def test_a_token_lists_of_what_was_asked_for_what_its_user_may(
    hosted: TestApp, scope: str, access: dict[str, list[str]]
) -> None:
    claims = said(hosted, get_token(hosted, scope).json["token"])
    assert {each["name"]: each["actions"] for each in claims["access"]} == access


def test_scopes_may_be_given_one_by_one(hosted: TestApp) -> None:
    hosted.authorization = ("Basic", ("alice", "secret"))
    response = hosted.get("/auth/token?scope=repository:team/x:pull&scope=repository:team/y:pull")
    assert [each["name"] for each in said(hosted, response.json["token"])["access"]] == ["team/x", "team/y"]


@pytest.mark.parametrize(
    "scope",
    [
        "",
        ":",
        "::",
        "pull",
        "repository:a",
        "repository:a:",
        "repository::pull",
        "repository:a:b:pull",
        "repository:a/b:pull:push",
        "repository:A:pull",
        "repository:*:pull",
        "repository:../a:pull",
        "repository:a//b:pull",
        "repository:a\n:pull",
        "repository:a:pull\n",
        "repository:a\trepository:b:pull",
        "repository:a:PULL",
        "repository:a:pull push",
        "repository(plugin):a:pull",
        "Repository:a:pull",
        "registry:catalog:pull",
        "registry:a:*",
        "registry:catalog:*:*",
        "repository:ä:pull",
        "repository:" + "a" * 300 + ":pull",
        "aws:a:*",
        '{"type":"repository"}',
    ],
)
def test_a_scope_outside_the_grammar_grants_nothing(scope: str) -> None:
    found = granted(asked([scope]), lambda _: True)
    assert found == ([{"type": "repository", "name": "a", "actions": ["pull"]}] if scope.endswith(" push") else [])


def test_nobody_asks_for_more_than_any_client_needs() -> None:
    assert len(asked([" ".join(f"repository:r{number}:pull" for number in range(10_000))])) <= 200


# ── refresh tokens and forms ──────────────────────────────────────────────────────────────────


def form(app: TestApp, status: int = 200, **fields: str) -> Any:
    return app.post("/auth/token", {"service": SERVICE, "client_id": "test", **fields}, status=status)


def test_a_refresh_token_stands_for_the_password_until_that_changes(app: TestApp, htpasswd: Path) -> None:
    refresh_token = get_token(app, offline_token="true").json["refresh_token"]
    scope = "repository:a/b:pull"
    document = form(app, grant_type="refresh_token", refresh_token=refresh_token, scope=scope).json
    assert said(app, document["access_token"])["access"] == [{"type": "repository", "name": "a/b", "actions": ["pull"]}]
    assert document["refresh_token"] == refresh_token
    htpasswd.write_text(f"alice:{bcrypt.hashpw(b'other', bcrypt.gensalt(4)).decode()}\n")
    form(app, grant_type="refresh_token", refresh_token=refresh_token, status=401)
    htpasswd.write_text(f"bob:{HASHED}\n")
    form(app, grant_type="refresh_token", refresh_token=refresh_token, status=401)


def test_neither_kind_of_token_does_for_the_other(app: TestApp) -> None:
    document = get_token(app, "repository:a/b:pull", offline_token="true").json
    form(app, grant_type="refresh_token", refresh_token=document["token"], status=401)
    app.authorization = ("Bearer", document["refresh_token"])
    assert "invalid_token" in app.get("/v2/", status=401).headers["WWW-Authenticate"]


def test_a_form_may_have_the_password(app: TestApp) -> None:
    fields = {"grant_type": "password", "username": "alice", "scope": "repository:a/b:pull"}
    document = form(app, password="secret", access_type="offline", **fields).json
    assert said(app, document["access_token"])["sub"] == "alice"
    assert document["refresh_token"]
    form(app, password="wrong", status=401, **fields)


def test_no_refresh_token_is_given_where_nobody_could_say_what_it_is_worth_later(hosted: TestApp) -> None:
    assert "refresh_token" not in get_token(hosted, offline_token="true").json


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "password", "username": "alice:x", "password": "y"}, "invalid_request"),
    ],
)
def test_a_form_of_another_kind_is_refused(app: TestApp, fields: dict[str, str], error: str) -> None:
    assert form(app, status=400, **fields).json["error"] == error


def test_requests_that_are_none_are_refused(app: TestApp) -> None:
    body = "grant_type=password&grant_type=refresh_token"
    assert app.post("/auth/token", body, status=400).json["error"] == "invalid_request"
    app.post("/auth/token", "{}", headers={"Content-Type": "application/json"}, status=400)
    app.post("/auth/token", "scope=" + "x" * 200_000, status=413)
    app.post("/auth/token", "&".join(["scope=x"] * 1000), status=400)
    app.get("/auth/token?" + "&".join(["scope=x"] * 1000), status=400)
    assert app.delete("/auth/token", status=405).headers["Allow"] == "GET, POST"
    assert app.post("/auth/jwks.json", status=405).headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/auth/", "/auth/token/", "/auth/token/x", "/auth", "/AUTH/token", "/auth/keys"])
def test_no_other_path_is_open(app: TestApp, path: str) -> None:
    app.get(path, status=401)


def test_the_catalog_shows_what_a_user_may_pull(app: TestApp) -> None:
    app.authorization = ("Bearer", get_token(app, "repository:a/b:pull,push").json["token"])
    push_blob(app, "a/b", b"content")
    app.authorization = ("Bearer", get_token(app, "registry:catalog:*").json["token"])
    assert app.get("/v2/_catalog").status_int == 200


# ── keys ──────────────────────────────────────────────────────────────────────────────────────


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def kids(keys: SigningKeys) -> list[str]:
    return [each["kid"] for each in keys.public()]


def test_keys_are_their_owners_alone(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "keys"
    SigningKeys(str(directory), signs=DAY, known=DAY).current()
    (file,) = directory.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_public_key_tells_nothing_of_the_secret_one(tmp_path: Path) -> None:
    (jwk,) = SigningKeys(str(tmp_path), signs=DAY, known=DAY).public()
    assert set(jwk) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_a_key_signs_for_a_while_is_then_known_for_a_while_and_then_gone(tmp_path: Path) -> None:
    clock = Clock()
    keys = SigningKeys(str(tmp_path), signs=10 * DAY, known=DAY, clock=clock)
    first = keys.current().kid
    clock.now += 9 * DAY
    assert keys.current().kid == first
    clock.now += DAY
    second = keys.current().kid
    assert second != first
    assert kids(keys) == [second, first]
    assert keys.find(CTX, {"kid": first})
    clock.now += DAY + 1
    assert kids(keys) == [second]
    with pytest.raises(ValueError, match="none of those that sign here"):
        keys.find(CTX, {"kid": first})
    clock.now += 9 * DAY
    assert keys.current().kid != second
    assert len(list(tmp_path.iterdir())) == 2


def test_a_key_that_was_made_while_the_clock_was_ahead_does_not_sign_for_years(tmp_path: Path) -> None:
    clock = Clock()
    keys = SigningKeys(str(tmp_path), signs=10 * DAY, known=DAY, clock=clock)
    clock.now += 3000 * DAY
    ahead = keys.current().kid
    clock.now -= 3000 * DAY
    after = keys.current().kid
    assert after != ahead
    assert keys.find(CTX, {"kid": ahead}), "tokens of a moment ago are good"
    clock.now += 10 * DAY
    assert keys.current().kid not in {ahead, after}


def test_another_worker_and_a_restart_know_the_same_keys(tmp_path: Path) -> None:
    clock = Clock()
    one, two = (SigningKeys(str(tmp_path), signs=DAY, known=DAY, clock=clock) for _ in range(2))
    assert one.current().kid == two.current().kid
    clock.now += DAY
    rotated = one.current().kid
    assert two.find(CTX, {"kid": rotated})
    assert two.current().kid == rotated
    assert SigningKeys(str(tmp_path), signs=DAY, known=DAY, clock=clock).current().kid == rotated


def test_workers_that_start_at_once_make_one_key(tmp_path: Path) -> None:
    program = (
        "import sys; from registry_wsgi.auth.signing import SigningKeys;"
        "SigningKeys(sys.argv[1], signs=9, known=9).current()"
    )
    workers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "keys")]) for _ in range(4)]
    assert [worker.wait() for worker in workers] == [0] * 4
    assert len(list((tmp_path / "keys").iterdir())) == 1


def test_threads_that_rotate_at_once_make_one_key(tmp_path: Path) -> None:
    clock = Clock()
    keys = SigningKeys(str(tmp_path), signs=DAY, known=DAY, clock=clock)
    keys.current()
    clock.now += DAY
    with ThreadPoolExecutor(8) as pool:
        assert len({each.kid for each in pool.map(lambda _: keys.current(), range(32))}) == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_what_else_lies_in_the_directory_is_no_key(tmp_path: Path) -> None:
    pem = ECKey.generate_key("P-256").as_pem(private=True)
    for name in ("key.pem", "1800000000-0123456789abcdef.pem.new", "..pem"):
        (tmp_path / name).write_bytes(pem)
    assert len(SigningKeys(str(tmp_path), signs=DAY, known=DAY).public()) == 1


def test_a_damaged_key_and_a_file_for_a_directory_do_not_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "1800000000-0123456789abcdef.pem").write_text("nothing")
    for directory in (tmp_path, tmp_path / "file"):
        with pytest.raises(ConfigurationError, match="keys: the directory"):
            SigningKeys(str(directory), signs=DAY, known=DAY)


def test_a_token_by_a_key_that_is_sent_along_is_refused(app: TestApp) -> None:
    key = ECKey.generate_key("P-256")
    kid = app.get("/auth/jwks.json").json["keys"][0]["kid"]
    claims = forge.claims(iss="registry-wsgi")
    for header in ({"kid": kid}, {"jwk": key.as_dict(private=False) | {"kid": kid}}, {"kid": "../x"}, {}):
        app.authorization = ("Bearer", forge.token(key, claims, **header))
        assert "invalid_token" in app.get("/v2/", status=401).headers["WWW-Authenticate"]


# ── start-up and mounting ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"service": ""}, "service and issuer"),
        ({"expiration": 59}, "expiration: must be 60 or more"),
        ({"refreshexpiration": 100}, "refreshexpiration no less"),
        ({"path": "auth/token"}, "path: must begin"),
        ({"path": "/auth/"}, "path: must begin"),
        ({"path": "/v2/"}, "path: must begin"),
        ({"path": "/v2/a/tags/list"}, "path: must begin"),
    ],
)
def test_what_cannot_work_does_not_start(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    users = CallableController(function=authorize)
    with pytest.raises(ConfigurationError, match=words):
        IssuerController(**({"service": "S", "keys": str(tmp_path), "users": users} | changes))


def host(environ: object, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"host"]


def test_under_mount_the_tokens_are_below_v2_if_anywhere(tmp_path: Path) -> None:
    users = CallableController(function=authorize)

    def issuer(path: str) -> IssuerController:
        return IssuerController(service=SERVICE, keys=str(tmp_path), users=users, path=path)

    with pytest.raises(ConfigurationError, match="/v2/auth/token"):
        mount(host, {"storage": storages.new_section()}, access=issuer("/auth/token"))
    app = TestApp(mount(host, {"storage": storages.new_section()}, access=issuer("/v2/auth/token")))
    assert 'realm="http://localhost:80/v2/auth/token"' in app.get("/v2/", status=401).headers["WWW-Authenticate"]
    app.authorization = ("Basic", ("alice", "secret"))
    assert app.get("/v2/auth/token").json["token"]
    assert app.get("/v2/auth/jwks.json").json["keys"]
    assert app.get("/auth/token").body == b"host"


def test_the_realm_is_where_the_client_reaches_the_registry(tmp_path: Path) -> None:
    issuer: dict[str, object] = {
        "service": SERVICE,
        "keys": str(tmp_path),
        "users": {"callable": {"function": "tests.auth.test_issuer:authorize"}},
    }
    pytest.importorskip("tests.auth.test_issuer")
    prefixed = {"storage": storages.new_section(), "http": {"prefix": "/registry/"}, "auth": {"issuer": issuer}}
    app = TestApp(build(load(prefixed)))
    assert (
        'realm="http://localhost:80/registry/auth/token"'
        in app.get("/registry/v2/", status=401).headers["WWW-Authenticate"]
    )
    assert app.get("/registry/auth/jwks.json").json["keys"]
    issuer["realm"] = "https://registry.example.com/auth/token"
    app = TestApp(build(load({"storage": storages.new_section(), "auth": {"issuer": issuer}})))
    assert f'realm="{issuer["realm"]}"' in app.get("/v2/", status=401).headers["WWW-Authenticate"]
