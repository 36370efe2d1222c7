"""The access layer: what is asked for each request, and what happens to those who may not."""

from __future__ import annotations

import pytest
from webtest import TestApp

from registry_wsgi import mount
from registry_wsgi.app import build
from registry_wsgi.auth.needed import needed
from registry_wsgi.config import load
from registry_wsgi.errors import ConfigurationError, Denied, Unauthorized
from registry_wsgi.interfaces import Access, Grant
from registry_wsgi.routes import parse_route
from tests import storages
from tests.stack import push_blob

PULL, PUSH, DELETE = (Access("repository", "a/b", action) for action in ("pull", "push", "delete"))


@pytest.mark.parametrize(
    ("method", "url", "access"),
    [
        ("GET", "/v2/", ()),
        ("GET", "/v2/_catalog", (Access("registry", "catalog", "*"),)),
        ("GET", "/v2/a/b/manifests/v1", (PULL,)),
        ("HEAD", "/v2/a/b/blobs/sha256:0", (PULL,)),
        ("GET", "/v2/a/b/tags/list", (PULL,)),
        ("GET", "/v2/a/b/referrers/sha256:0", (PULL,)),
        ("PUT", "/v2/a/b/manifests/v1", (PULL, PUSH)),
        ("POST", "/v2/a/b/blobs/uploads/", (PULL, PUSH)),
        ("PATCH", "/v2/a/b/blobs/uploads/x", (PULL, PUSH)),
        ("DELETE", "/v2/a/b/blobs/uploads/x", (PULL, PUSH)),
        ("DELETE", "/v2/a/b/manifests/v1", (DELETE,)),
        ("DELETE", "/v2/a/b/blobs/sha256:0", (DELETE,)),
        (
            "POST",
            "/v2/a/b/blobs/uploads/?mount=sha256:0&from=c&from=d%2Fe",
            (PULL, PUSH, Access("repository", "c", "pull"), Access("repository", "d/e", "pull")),
        ),
        ("GET", "/v2/nonsense", ()),
    ],
)
def test_what_a_request_needs(method: str, url: str, access: tuple[Access, ...]) -> None:
    path, _, query = url.partition("?")
    assert needed(parse_route(path), method, query) == access


class Users:
    """Alice may everything below a/, bob pulls there, and nobody else is known."""

    def __init__(self) -> None:
        self.asked: list[tuple[Access, ...]] = []

    def __call__(self, environ: dict[str, str], access: tuple[Access, ...]) -> Grant:
        self.asked.append(access)
        user = environ.get("HTTP_AUTHORIZATION", "")
        if user not in ("alice", "bob"):
            raise Unauthorized(headers={"WWW-Authenticate": 'Basic realm="R"'})

        def may(wanted: Access) -> bool:
            return wanted.name.startswith("a/") and (user == "alice" or wanted.action == "pull")

        if not all(map(may, access)):
            raise Denied("ask the owner")
        return Grant(user, may)


def host(environ: object, start_response: object) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])  # type: ignore[operator]
    return [b"host"]


@pytest.fixture
def app() -> TestApp:
    return TestApp(mount(host, {"storage": storages.new_section()}, access=Users()))


def as_user(app: TestApp, user: str) -> TestApp:
    app.authorization = None
    app.extra_environ = {"HTTP_AUTHORIZATION": user} if user else {}
    return app


def test_nobody_is_asked_to_log_in(app: TestApp) -> None:
    response = as_user(app, "").get("/v2/", status=401)
    assert response.headers["WWW-Authenticate"] == 'Basic realm="R"'
    assert response.headers["Docker-Distribution-API-Version"] == "registry/2.0"
    assert response.json["errors"][0]["code"] == "UNAUTHORIZED"


def test_a_known_user_who_may_not_is_denied_with_the_reason(app: TestApp) -> None:
    error = as_user(app, "bob").post("/v2/a/b/blobs/uploads/", status=403).json["errors"][0]
    assert (error["code"], error["detail"]) == ("DENIED", "ask the owner")


def test_whoever_may_is_let_in(app: TestApp) -> None:
    digest = push_blob(as_user(app, "alice"), "a/b", b"content")
    assert as_user(app, "bob").get(f"/v2/a/b/blobs/{digest}").body == b"content"


def test_the_hosts_own_pages_are_not_asked_about(app: TestApp) -> None:
    assert as_user(app, "").get("/").body == b"host"


@pytest.mark.parametrize("path", ["/v2/nonsense", "/v2/a/b", "/v2/a/b/nothing/x"])
def test_an_unknown_route_is_refused_and_tells_strangers_nothing(path: str, app: TestApp) -> None:
    as_user(app, "").get(path, status=401)
    as_user(app, "alice").get(path, status=404)


@pytest.mark.parametrize("path", ["/v2/secret/manifests/v1", "/v2/absent/manifests/v1", "/v2/UPPER/manifests/v1"])
def test_absent_and_forbidden_look_the_same(path: str, app: TestApp) -> None:
    assert as_user(app, "bob").get(path, status=403).json["errors"][0]["code"] == "DENIED"


def test_a_mount_without_a_source_takes_only_from_where_the_user_may_pull() -> None:
    storage = load({"storage": "inmemory"})
    users = Users()
    app = TestApp(mount(host, storage, access=lambda environ, access: _as_owner(users, environ, access)))
    digest = push_blob(as_user(app, "owner"), "secret", b"content")
    as_user(app, "alice").post(f"/v2/a/b/blobs/uploads/?mount={digest}", status=202)
    push_blob(as_user(app, "owner"), "a/source", b"content")
    as_user(app, "alice").post(f"/v2/a/b/blobs/uploads/?mount={digest}", status=201)


def _as_owner(users: Users, environ: dict[str, str], access: tuple[Access, ...]) -> Grant:
    if environ.get("HTTP_AUTHORIZATION") == "owner":
        return Grant("owner", lambda _: True)
    return users(environ, access)


def test_a_function_that_fails_lets_nobody_in() -> None:
    def failing(environ: object, access: object) -> Grant:
        raise RuntimeError("a bug of the host's")

    TestApp(mount(host, {"storage": storages.new_section()}, access=failing)).get("/v2/", status=500)


def test_mounting_without_saying_who_may_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="open_access=True"):
        mount(host, {"storage": "inmemory"})
    mount(host, {"storage": "inmemory"}, open_access=True)


def test_a_configured_controller_stands_in_the_stack() -> None:
    app = TestApp(build(load({"storage": storages.new_section(), "auth": {"silly": {"realm": "R", "service": "S"}}})))
    assert "Bearer" in app.get("/v2/", status=401).headers["WWW-Authenticate"]
    app.get("/v2/", headers={"Authorization": "x"}, status=200)


def test_an_unknown_controller_does_not_start() -> None:
    with pytest.raises(ConfigurationError, match=r"auth\.ldap: unknown name"):
        build(load({"storage": "inmemory", "auth": {"ldap": {}}}))


def test_the_catalog_shows_only_what_the_user_may_pull() -> None:
    def authorize(environ: dict[str, str], access: tuple[Access, ...]) -> Grant:
        everything = environ.get("HTTP_AUTHORIZATION") == "owner"
        return Grant("someone", lambda wanted: everything or wanted.name.startswith("a/"))

    app = TestApp(mount(host, {"storage": storages.new_section()}, access=authorize))
    for name in ("a/one", "a/two", "b/secret", "z"):
        push_blob(as_user(app, "owner"), name, b"content")
    assert as_user(app, "owner").get("/v2/_catalog").json["repositories"] == ["a/one", "a/two", "b/secret", "z"]
    guest = as_user(app, "guest")
    assert guest.get("/v2/_catalog").json["repositories"] == ["a/one", "a/two"]
    page = guest.get("/v2/_catalog?n=1")
    assert page.json["repositories"] == ["a/one"]
    assert "Link" not in guest.get(page.headers["Link"].partition(">")[0].lstrip("<")).headers
