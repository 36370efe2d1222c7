"""The controller `oidc`: with a real OpenID provider, and with one that says what a test wants."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from webtest import TestApp

from registry_wsgi.app import build
from registry_wsgi.auth.jwks import JWKS
from registry_wsgi.auth.oidc import OIDCController
from registry_wsgi.config import load
from registry_wsgi.context import Context
from registry_wsgi.errors import ConfigurationError, Unauthorized
from registry_wsgi.interfaces import Access, Grant
from registry_wsgi.testing.access import AccessControllerSuite, environ
from tests import storages
from tests.auth import forge
from tests.auth.provider import Provider, provider
from tests.stack import push_blob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

AUDIENCE = "registry.example.com"
CTX = Context()
KEY, OTHER = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
RSA = RSAKey.generate_key(2048)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A CI platform with the claims of GitHub's."""
    with provider(tmp_path_factory.mktemp("provider") / "log") as running:
        yield running


def of_acme(platform: Provider, **options: Any) -> dict[str, Any]:
    """Return the controller's section: jobs of acme's repositories."""
    return {
        "issuer": platform.issuer,
        "audience": AUDIENCE,
        "claims": {"repository_owner": "acme", "ref": ["refs/heads/main", "refs/tags/*"]},
        "user": "ci:{repository}",
        "groups": ["owner:{repository_owner}", "{environment}"],
        **options,
    }


def job(platform: Provider, audience: str = AUDIENCE, **claims: object) -> str:
    """Return the identity token of a job of acme/app's main branch, with some claims changed."""
    said = {"repository": "acme/app", "repository_owner": "acme", "ref": "refs/heads/main", **claims}
    return platform.token(audience, "job", **said)


def as_password(token: str) -> dict[str, str]:
    return forge.basic("oidc", token)


class TestOIDCIsAController(AccessControllerSuite):
    user = "ci:acme/app"

    @pytest.fixture
    def controller(self, platform: Provider) -> OIDCController:
        return OIDCController(**of_acme(platform))

    @pytest.fixture(params=[forge.bearer, as_password], ids=["bearer", "basic"])
    def credentials(self, request: pytest.FixtureRequest, platform: Provider) -> dict[str, str]:
        return request.param(job(platform))  # type: ignore[no-any-return]

    @pytest.fixture
    def wrong_credentials(self, platform: Provider) -> dict[str, str]:
        return forge.bearer(job(platform, "another.example.com"))


# ── a workload's way, with a real provider ────────────────────────────────────────────────────


def test_the_claims_say_who_it_is_and_of_which_groups(platform: Provider) -> None:
    controller = OIDCController(**of_acme(platform))
    grant = authorized(controller, job(platform, environment="production", ref="refs/tags/v1"))
    assert (grant.user, grant.groups) == ("ci:acme/app", ("owner:acme", "production"))


@pytest.mark.parametrize(
    "claims",
    [{"repository_owner": "evil"}, {"ref": "refs/heads/x"}, {"ref": "x/refs/heads/main"}, {"ref": None}, {"ref": {}}],
)
def test_a_token_without_the_claims_that_are_required_is_nobodys(platform: Provider, claims: dict[str, object]) -> None:
    assert "invalid_token" in refused(OIDCController(**of_acme(platform)), job(platform, **claims))


def test_only_ci_pushes_and_everybody_pulls(platform: Provider) -> None:
    rules = [
        {"allow": "pull", "who": "*", "repositories": "app/**"},
        {"allow": ["pull", "push"], "who": "group:owner:acme", "repositories": "app/**"},
    ]
    policy = {"users": {"oidc": of_acme(platform, claims={})}, "rules": rules}
    app = TestApp(build(load({"storage": storages.new_section(), "auth": {"policy": policy}})))
    app.extra_environ = as_password(job(platform))
    digest = push_blob(app, "app/image", b"content")
    app.extra_environ = as_password(job(platform, repository_owner="other"))
    app.post("/v2/app/image/blobs/uploads/", status=403)
    app.extra_environ = {}
    assert app.get(f"/v2/app/image/blobs/{digest}").body == b"content"
    assert app.post("/v2/app/image/blobs/uploads/", status=401).headers["WWW-Authenticate"] == 'Basic realm="registry"'


def test_an_identity_token_is_exchanged_for_the_registrys_own(platform: Provider, tmp_path: Path) -> None:
    issuer = {"service": "S", "keys": str(tmp_path / "keys"), "users": {"oidc": of_acme(platform)}}
    app = TestApp(build(load({"storage": storages.new_section(), "auth": {"issuer": issuer}})))
    for credentials in (as_password(job(platform)), forge.bearer(job(platform))):
        app.extra_environ = credentials
        given = app.get("/auth/token", {"scope": "repository:app/image:pull,push", "offline_token": "true"}).json
        assert "refresh_token" not in given  # the provider alone could say what it is worth later
        app.extra_environ = forge.bearer(given["token"])
        push_blob(app, "app/image", b"content")
    app.extra_environ = as_password(job(platform, repository_owner="other"))
    app.get("/auth/token", status=401)


# ── keys, with a provider that says what a test wants ─────────────────────────────────────────


class Pages:
    """A web server on loopback: `pages` by path, and how often each was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {}
        self.asked: list[str] = []
        self.issuer = ""

    def publish(self, *keys: dict[str, Any]) -> None:
        self.pages["/keys"] = {"keys": list(keys)}
        self.pages["/.well-known/openid-configuration"] = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}

    def token(self, key: Any, algorithm: str = "ES256", header: dict[str, Any] | None = None, **said: Any) -> str:
        return forge.token(key, forge.claims(iss=self.issuer, aud=AUDIENCE, **said), algorithm, **(header or {}))


@contextmanager
def serving() -> Iterator[Pages]:
    served = Pages()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            page = served.pages.get(self.path)
            self.send_response(404 if page is None else 200)
            self.end_headers()
            self.wfile.write(page if isinstance(page, bytes) else json.dumps(page).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        served.issuer = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def pages() -> Iterator[Pages]:
    with serving() as served:
        yield served


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that lets time go by for key sets."""
    now = [1000.0]
    init = JWKS.__init__
    monkeypatch.setattr(
        JWKS, "__init__", lambda self, place, **options: init(self, place, clock=lambda: now[0], **options)
    )
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def jwk(key: Any, **members: object) -> dict[str, Any]:
    return {**key.as_dict(private=False), **members}


def for_anybody(issuer: str, **options: Any) -> OIDCController:
    return OIDCController(issuer=issuer, audience=[AUDIENCE, "another"], claims={}, **options)


def authorized(controller: OIDCController, token: str) -> Grant:
    return controller.authorize(CTX, environ(forge.bearer(token)), (Access("repository", "a", "push"),))


def refused(controller: OIDCController, token: str) -> str:
    with pytest.raises(Unauthorized) as raised:
        authorized(controller, token)
    return raised.value.headers["WWW-Authenticate"]


def test_a_token_without_kid_needs_one_key_that_its_signature_can_be_of(pages: Pages) -> None:
    pages.publish(jwk(KEY, kid="ec"), jwk(RSA, kid="rsa", alg="RS256"))
    assert authorized(for_anybody(pages.issuer), pages.token(KEY)).user == "alice"
    assert authorized(for_anybody(pages.issuer), pages.token(RSA, "RS256")).user == "alice"
    assert "invalid_token" in refused(for_anybody(pages.issuer), pages.token(RSA, "PS256"))
    pages.publish(jwk(KEY, kid="ec"), jwk(OTHER, kid="ec2"))
    assert "invalid_token" in refused(for_anybody(pages.issuer), pages.token(KEY))
    assert authorized(for_anybody(pages.issuer), pages.token(KEY, header={"kid": "ec"})).user == "alice"


def test_keys_are_fetched_when_they_are_needed_and_for_unknown_ids_not_often(
    pages: Pages, clock: Callable[[float], None]
) -> None:
    controller = for_anybody(pages.issuer)
    pages.publish(jwk(KEY, kid="one"))
    assert pages.asked == []
    for number in range(3):
        assert authorized(controller, pages.token(KEY, header={"kid": "one"}, jti=str(number))).user == "alice"
    assert pages.asked == ["/.well-known/openid-configuration", "/keys"]
    pages.publish(jwk(OTHER, kid="two"))
    for number in range(50):
        refused(controller, pages.token(OTHER, header={"kid": f"made up {number}"}))
    refused(controller, pages.token(OTHER, header={"kid": "two"}))
    assert len(pages.asked) == 2
    clock(31)
    assert authorized(controller, pages.token(OTHER, header={"kid": "two"})).user == "alice"
    assert len(pages.asked) == 4
    pages.pages.clear()  # the provider is gone for a while
    clock(4000)
    assert authorized(controller, pages.token(OTHER, header={"kid": "two"}, jti="later")).user == "alice"


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "http://another.example.com", "jwks_uri": "{issuer}/keys"},
        {"jwks_uri": "{issuer}/keys"},
        {"issuer": "{issuer}"},
        {"issuer": "{issuer}", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "{issuer}", "jwks_uri": ["{issuer}/keys"]},
        [],
        b"[" * 9000,
        b"{" + b" " * 600_000 + b"}",
        b"nothing",
    ],
)
def test_a_document_that_is_not_the_providers_is_not_believed(pages: Pages, document: object) -> None:
    pages.publish(jwk(KEY, kid="one"))
    text = document if isinstance(document, bytes) else json.dumps(document).replace("{issuer}", pages.issuer).encode()
    pages.pages["/.well-known/openid-configuration"] = text
    assert "invalid_token" in refused(for_anybody(pages.issuer), pages.token(KEY, header={"kid": "one"}))


def test_keys_may_come_from_a_file(pages: Pages, tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [jwk(KEY, kid="one")]}))
    controller = for_anybody(pages.issuer, jwks=str(path))
    assert authorized(controller, pages.token(KEY, header={"kid": "one"})).user == "alice"
    assert pages.asked == []


HOUR = 3600
FORGED: dict[str, Callable[[Pages], str]] = {
    "an expired one": lambda pages: pages.token(KEY, exp=int(time.time()) - 120),
    "one that is not valid yet": lambda pages: pages.token(KEY, nbf=int(time.time()) + HOUR),
    "one without an end": lambda pages: pages.token(KEY, exp=None),
    "another issuer's": lambda pages: forge.token(KEY, forge.claims(iss="https://evil", aud=AUDIENCE)),
    "one for another audience": lambda pages: forge.token(KEY, forge.claims(iss=pages.issuer, aud="other")),
    "one without an audience": lambda pages: forge.token(KEY, forge.claims(iss=pages.issuer, aud=None)),
    "one without a subject": lambda pages: pages.token(KEY, sub=None),
    "one with an empty subject": lambda pages: pages.token(KEY, sub=""),
    "one whose subject breaks lines": lambda pages: pages.token(KEY, sub="alice\nbob"),
    "another key's": lambda pages: pages.token(OTHER),
    "another key's under a known id": lambda pages: pages.token(OTHER, header={"kid": "one"}),
    "one that brings its key along": lambda pages: pages.token(OTHER, header={"jwk": jwk(OTHER)}),
    "one that brings its key under a known id": lambda pages: pages.token(
        OTHER, header={"kid": "one", "jwk": jwk(OTHER, kid="one")}
    ),
    "one that says where its keys are": lambda pages: pages.token(OTHER, header={"jku": "http://127.0.0.1:9/"}),
    "one whose id is a path": lambda pages: pages.token(OTHER, header={"kid": "../../etc/passwd"}),
    "one whose id is no text": lambda pages: pages.token(KEY, header={"kid": 1}),
    "one signed with the public key as a secret": lambda pages: forge.hs256(
        KEY.as_pem(private=False), forge.claims(iss=pages.issuer, aud=AUDIENCE), "one"
    ),
    "one without a signature": lambda pages: ".".join([*pages.token(KEY).split(".")[:2], ""]),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_token_is_nobodys_whichever_way_it_comes(what: str, pages: Pages) -> None:
    pages.publish(jwk(KEY, kid="one"))
    controller, token = for_anybody(pages.issuer), FORGED[what](pages)
    assert 'error="invalid_token"' in refused(controller, token)
    with pytest.raises(Unauthorized) as raised:
        controller.authorize(CTX, environ(as_password(token)), ())
    assert raised.value.headers["WWW-Authenticate"] == 'Basic realm="registry"'


# ── claims ────────────────────────────────────────────────────────────────────────────────────

KUBERNETES = {"kubernetes.io": {"namespace": "build", "serviceaccount": {"name": "pusher"}}}
NAMED = {"https://example.com/roles": ["a", "b"], "protected": True, "number": 7, "nested": [["x"]]}


@pytest.mark.parametrize(
    ("templates", "groups"),
    [
        (["{kubernetes.io/namespace}"], ["build"]),
        (["{kubernetes.io/namespace}/{kubernetes.io/serviceaccount/name}"], ["build/pusher"]),
        (["{https://example.com/roles}"], ["a", "b"]),
        (["all", "protected:{protected}", "{number}"], ["all", "protected:true", "7"]),
        (["{absent}", "x-{absent}-{number}", "{nested}", "{kubernetes.io}", "x-{https://example.com/roles}"], []),
        (["{number}", "{number}"], ["7"]),
    ],
)
def test_templates_name_groups_by_claims(pages: Pages, templates: list[str], groups: list[str]) -> None:
    pages.publish(jwk(KEY, kid="one"))
    grant = authorized(for_anybody(pages.issuer, groups=templates), pages.token(KEY, **KUBERNETES, **NAMED))
    assert list(grant.groups) == groups


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"issuer": "auth.example.com"}, "issuer: must be the URL"),
        ({"audience": []}, "audience: must be text"),
        ({"audience": ""}, "audience: must be text"),
        ({"claims": None}, "claims: must be a mapping"),
        ({"claims": {"ref": {}}}, r"claims\.ref: must be text"),
        ({"claims": {"ref": [""]}}, r"claims\.ref: must be text"),
        ({"user": "{sub"}, "user: must be text in which claims stand in braces"),
        ({"user": ""}, "user: must be text"),
        ({"groups": ["{}"]}, r"groups\[0\]: must be text"),
        ({"groups": "{groups}"}, "groups: must be a list"),
        ({"jwks": "/absent"}, "jwks: cannot read"),
        ({"signingalgorithms": ["HS256"]}, "signingalgorithms: 'HS256' is not allowed"),
    ],
)
def test_what_cannot_work_does_not_start(changes: dict[str, Any], words: str) -> None:
    options = {"issuer": "https://auth.example.com", "audience": "S", "claims": {}}
    OIDCController(**options)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=words):
        OIDCController(**{**options, **changes})


def test_the_claims_have_to_be_spoken_of() -> None:
    auth = {"oidc": {"issuer": "https://auth.example.com", "audience": "S"}}
    with pytest.raises(ConfigurationError, match=re.escape("auth.oidc.claims: required")):
        build(load({"storage": "inmemory", "auth": auth}))
