"""The controller `token`: what it trusts, and every way in which a token can be wrong."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from registry_wsgi.auth import jwks
from registry_wsgi.auth.jwks import JWKS
from registry_wsgi.auth.token import TokenController
from registry_wsgi.context import Context
from registry_wsgi.errors import ConfigurationError, Unauthorized
from registry_wsgi.interfaces import Access
from registry_wsgi.testing.access import environ
from tests.auth.forge import (
    DAY,
    ISSUER,
    NOW,
    SERVICE,
    bearer,
    certificate,
    claims,
    hs256,
    kid_of,
    pem,
    token,
    unsigned,
    x5c,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CTX = Context()
PULL, PUSH, DELETE = (Access("repository", "a/b", action) for action in ("pull", "push", "delete"))

KEY = ECKey.generate_key("P-256")
OTHER = ECKey.generate_key("P-256")
RSA = RSAKey.generate_key(2048)
ED = OKPKey.generate_key("Ed25519")
ROOT = certificate(KEY)
KID = kid_of(KEY)


@pytest.fixture
def controller(tmp_path: Path) -> TokenController:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(pem(ROOT, certificate(RSA, "rsa"), certificate(ED, "ed")))
    return TokenController(realm="https://auth/token", service=SERVICE, issuer=ISSUER, rootcertbundle=str(bundle))


def user(controller: TokenController, text: str, *access: Access) -> str:
    return controller.authorize(CTX, environ(bearer(text)), access or (PULL, PUSH)).user


def refused(controller: TokenController, text: str, *access: Access) -> str:
    """Return the challenge that a token is answered with."""
    with pytest.raises(Unauthorized) as raised:
        controller.authorize(CTX, environ(bearer(text)), access or (PULL,))
    return raised.value.headers["WWW-Authenticate"]


# ── what is trusted ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kid", [KID, KEY.thumbprint()], ids=["libtrust", "RFC 7638"])
def test_a_key_of_the_bundle_goes_by_either_id(controller: TokenController, kid: str) -> None:
    assert user(controller, token(KEY, claims(), kid=kid)) == "alice"


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSA, "RS256"), (RSA, "RS384"), (RSA, "RS512"), (RSA, "PS256"), (RSA, "PS512"), (ED, "EdDSA"), (ED, "Ed25519")],
)
def test_keys_of_all_kinds_sign(controller: TokenController, key: Any, algorithm: str) -> None:
    assert user(controller, token(key, claims(), algorithm, kid=kid_of(key))) == "alice"


def test_a_chain_of_certificates_that_leads_to_the_bundle_is_trusted(controller: TokenController) -> None:
    middle = ECKey.generate_key("P-256")
    direct = [certificate(OTHER, "leaf", issuer=(KEY, "token server"), authority=False)]
    longer = [
        certificate(OTHER, "leaf", issuer=(middle, "middle"), authority=False),
        certificate(middle, "middle", issuer=(KEY, "token server")),
    ]
    for chain in (direct, longer):
        assert user(controller, token(OTHER, claims(), x5c=x5c(chain))) == "alice"
    assert user(controller, token(KEY, claims(), x5c=x5c([ROOT]))) == "alice"


def test_a_key_in_the_header_is_trusted_if_it_is_the_very_one(controller: TokenController) -> None:
    assert user(controller, token(KEY, claims(), jwk=KEY.as_dict(private=False, kid=KID))) == "alice"
    assert user(controller, token(KEY, claims(), jwk=KEY.as_dict(private=False) | {"x5c": x5c([ROOT])})) == "alice"


@pytest.mark.parametrize("audience", [SERVICE, [SERVICE], ["other", SERVICE]])
def test_an_audience_may_be_text_or_a_list(controller: TokenController, audience: object) -> None:
    assert user(controller, token(KEY, claims(aud=audience), kid=KID)) == "alice"


def test_clocks_may_differ_by_a_minute(controller: TokenController) -> None:
    now = int(time.time())
    for said in (claims(exp=now - 50), claims(nbf=now + 50), claims(iat=now + 9999), claims(nbf=None, iat=None)):
        assert user(controller, token(KEY, said, kid=KID)) == "alice"


def test_a_star_grants_every_action_on_its_resource_and_on_no_other(controller: TokenController) -> None:
    access = [{"type": "repository", "name": "a/b", "actions": ["*"]}]
    text = token(KEY, claims(access=access, sub=None), kid=KID)
    assert user(controller, text, PULL, PUSH, DELETE) == ""
    assert "insufficient_scope" in refused(controller, text, Access("repository", "a/c", "pull"))


# ── what is not ───────────────────────────────────────────────────────────────────────────────


def test_nobody_is_sent_to_the_token_server_without_an_error(controller: TokenController) -> None:
    for header in ({}, {"HTTP_AUTHORIZATION": "Basic YTpi"}):
        with pytest.raises(Unauthorized) as raised:
            controller.authorize(CTX, environ(header), (PULL, PUSH, Access("repository", "c", "pull")))
        scope = "repository:a/b:pull,push repository:c:pull"
        expected = f'Bearer realm="https://auth/token",service="{SERVICE}",scope="{scope}"'
        assert raised.value.headers["WWW-Authenticate"] == expected


@pytest.mark.parametrize(
    ("name", "action"), [("a/b", "delete"), ("a", "pull"), ("a/b/c", "pull"), ("a/B", "pull"), ("", "pull")]
)
def test_what_the_token_does_not_list_is_insufficient_scope(
    controller: TokenController, name: str, action: str
) -> None:
    for entry in ("a/b", "a"):
        access = [{"type": "repository", "name": entry, "actions": ["pull", "push"]}]
        asked = Access("repository", name, action)
        if entry == name and action != "delete":
            continue
        challenge = refused(controller, token(KEY, claims(access=access), kid=KID), asked)
        assert challenge.endswith(f',scope="repository:{name}:{action}",error="insufficient_scope"')


@pytest.mark.parametrize(
    "access",
    [
        "pull",
        {"type": "repository"},
        ["repository:a/b:pull"],
        [{"type": "repository", "name": "a/b", "actions": "pull"}],
        [{"type": "repository", "name": ["a/b"], "actions": ["pull"]}],
        [{"type": "registry", "name": "a/b", "actions": ["pull"]}],
        [{"type": "repository", "name": "*", "actions": ["*"]}],
        [None, 1, []],
        [{"type": "repository", "name": "a/b", "actions": [["pull"], None]}],
    ],
)
def test_an_access_claim_of_another_form_grants_nothing(controller: TokenController, access: object) -> None:
    assert "insufficient_scope" in refused(controller, token(KEY, claims(access=access), kid=KID))


WRONG_CLAIMS = {
    "expired": claims(exp=int(time.time()) - 120),
    "without an end": claims(exp=None),
    "an end that is text": claims(exp="9999999999"),
    "an end that is no number": json.dumps(claims()).replace(f'"exp": {claims()["exp"]}', '"exp": NaN').encode(),
    "an end that is infinite": json.dumps(claims(exp=float("inf"))).encode(),
    "an end that is true": claims(exp=True),
    "not yet valid": claims(nbf=int(time.time()) + 24 * 3600),
    "another issuer": claims(iss="https://evil.example.com"),
    "no issuer": claims(iss=None),
    "a list of issuers": claims(iss=[ISSUER]),
    "another audience": claims(aud="another.example.com"),
    "no audience": claims(aud=None),
    "an empty audience": claims(aud=""),
    "an empty list of audiences": claims(aud=[]),
    "a list in the list of audiences": claims(aud=[[SERVICE]]),
    "a mixed list of audiences": claims(aud=[SERVICE, 1]),
    "an audience that is an object": claims(aud={SERVICE: True}),
    "an audience that contains it": claims(aud=f"{SERVICE}.evil.com"),
    "a subject that is a list": claims(sub=["alice"]),
    "no object": b"[]",
    "no JSON": b"claims",
    "nested deeply": b"[" * 60_000,
}


@pytest.mark.parametrize("said", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS.keys())
def test_a_token_with_wrong_claims_is_refused(controller: TokenController, said: object) -> None:
    assert refused(controller, token(KEY, said, kid=KID)).endswith('error="invalid_token"')


def forged() -> dict[str, str]:
    """Return tokens that somebody else made, by the attack."""
    public = KEY.as_dict(private=False)
    secrets = (KEY.as_pem(private=False), json.dumps(public).encode(), pem(ROOT))
    own = OTHER.as_dict(private=False)
    evil = certificate(OTHER, "token server")
    no_authority = certificate(KEY, "leaf", issuer=(KEY, "token server"), authority=False)
    right = token(KEY, claims(), kid=KID)
    expired = certificate(OTHER, "leaf", issuer=(KEY, "token server"), valid=(NOW - 3 * DAY, NOW - DAY))
    future = certificate(OTHER, "leaf", issuer=(KEY, "token server"), valid=(NOW + DAY, NOW + 3 * DAY))
    by_rsa_id = kid_of(RSA)
    return {
        **{
            f"HS256 with the public key {number}": hs256(secret, claims(), kid=KID)
            for number, secret in enumerate(secrets)
        },
        "none": unsigned({"alg": "none", "kid": KID}, claims()),
        "None": unsigned({"alg": "None", "kid": KID}, claims()),
        "an algorithm that is a list": unsigned({"alg": ["ES256"], "kid": KID}, claims()),
        "no algorithm": unsigned({"kid": KID}, claims()),
        "an empty signature": unsigned({"alg": "ES256", "kid": KID}, claims()),
        "a signature of zeros (CVE-2022-21449)": unsigned({"alg": "ES256", "kid": KID}, claims(), bytes(64)),
        "RS256 by the id of an EC key": token(RSA, claims(), "RS256", kid=KID),
        "ES256 by the id of an RSA key": token(KEY, claims(), kid=by_rsa_id),
        "another curve": token(ECKey.generate_key("P-384"), claims(), "ES384", kid=KID),
        "another key by a trusted id": token(OTHER, claims(), kid=KID),
        "an unknown id": token(OTHER, claims(), kid=kid_of(OTHER)),
        "no id": token(KEY, claims()),
        "an empty id": token(KEY, claims(), kid=""),
        "a path as id": token(OTHER, claims(), kid="../../../../dev/null"),
        "SQL as id": token(OTHER, claims(), kid="x' UNION SELECT 'key';--"),
        "a number as id": unsigned({"alg": "ES256", "kid": 1}, claims(), bytes(64)),
        "own key in the header": token(OTHER, claims(), jwk=own),
        "own key by a trusted id (CVE-2025-24976)": token(OTHER, claims(), jwk=own | {"kid": KID}),
        "own key by a trusted id outside, too": token(OTHER, claims(), jwk=own | {"kid": KID}, kid=KID),
        "own key beside a trusted certificate": token(OTHER, claims(), jwk=own | {"x5c": x5c([ROOT])}),
        "a secret key in the header": token(
            OctKey.import_key("x" * 32), claims(), "HS256", jwk={"kty": "oct", "k": "eHg"}
        ),
        "a URL of keys": token(OTHER, claims(), jku="http://127.0.0.1:1/jwks.json"),
        "a chain of another authority of the same name": token(OTHER, claims(), x5c=x5c([evil])),
        "another authority's with the trusted one behind": token(OTHER, claims(), x5c=x5c([evil, ROOT])),
        "the trusted certificate, but own signature": token(OTHER, claims(), x5c=x5c([ROOT])),
        "a certificate made by one that is no authority": token(
            OTHER, claims(), x5c=x5c([certificate(OTHER, "x", issuer=(KEY, "leaf")), no_authority])
        ),
        "an expired certificate": token(OTHER, claims(), x5c=x5c([expired])),
        "a certificate of the future": token(OTHER, claims(), x5c=x5c([future])),
        "no certificate": token(OTHER, claims(), x5c=["AAAA"]),
        "no base64 for a certificate": token(OTHER, claims(), x5c=["!"]),
        "a hundred certificates": token(OTHER, claims(), x5c=x5c([evil] * 20)),
        "critical extensions": token(KEY, claims(), kid=KID, crit=["exp"], exp=1),
        "a payload that is not encoded": token(KEY, claims(), kid=KID, crit=["b64"], b64=False),
        "truncated": right[:-3],
        "without its signature": right.rpartition(".")[0] + ".",
        "two parts": right.rpartition(".")[0],
        "four parts": right + ".x",
        "changed": right.replace(".ey", ".fy", 1),
        "two tokens": f"{right}, {right}",
        "two tokens without a blank": f"{right},{right}",
        "a giant one": token(KEY, claims(jti="x" * 200_000), kid=KID),
        "a giant header": token(KEY, claims(), kid=KID, x="x" * 40_000),
        "encrypted": "e30.e30.e30.e30.e30",
    }


@pytest.mark.parametrize("text", forged().values(), ids=forged().keys())
def test_a_forged_token_is_refused(controller: TokenController, text: str) -> None:
    assert refused(controller, text).endswith('error="invalid_token"')
    assert refused(controller, text).endswith('error="invalid_token"'), "nothing wrong is remembered as right"


def test_an_expired_certificate_of_the_bundle_vouches_for_no_token_that_carries_it(tmp_path: Path) -> None:
    old = certificate(KEY, valid=(NOW - 3 * DAY, NOW - DAY))
    bundle = tmp_path / "old.pem"
    bundle.write_bytes(pem(old))
    controller = TokenController(realm="https://auth", service=SERVICE, issuer=ISSUER, rootcertbundle=str(bundle))
    leaf = certificate(OTHER, "leaf", issuer=(KEY, "token server"))
    for key, chain in ((KEY, [old]), (OTHER, [leaf]), (OTHER, [leaf, old])):
        assert "invalid_token" in refused(controller, token(key, claims(), x5c=x5c(chain)))


# ── how often is verified ─────────────────────────────────────────────────────────────────────


def test_a_token_is_verified_once_until_it_expires(
    controller: TokenController, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    text = token(KEY, claims(exp=int(now) + 10), kid=KID)
    verifier = controller._gate._verifier
    assert user(controller, text) == "alice"
    monkeypatch.setattr(verifier._keys, "find", lambda ctx, header: pytest.fail("verified again"))
    assert user(controller, text) == "alice"
    assert {len(key) for key in verifier._remembered._values} == {16}
    monkeypatch.undo()
    monkeypatch.setattr(verifier._remembered, "_clock", lambda: now + 80)
    assert verifier._remembered.get(text) is None


# ── key sets ──────────────────────────────────────────────────────────────────────────────────


def key_set(*keys: Any, **members: Any) -> str:
    return json.dumps({"keys": [key.as_dict(private=False) | members for key in keys]})


def with_jwks(place: str) -> TokenController:
    return TokenController(realm="https://auth", service=SERVICE, issuer=[ISSUER, "other"], jwks=place)


def test_a_key_set_in_a_file_is_trusted_by_its_ids_or_by_thumbprints(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    named = KEY.as_dict(private=False) | {"kid": "mine"}
    unknown = [{"kty": "oct", "k": "c2VjcmV0", "kid": "secret"}, {"kty": "AKP", "kid": "new"}, 1]
    path.write_text(json.dumps({"keys": [named, OTHER.as_dict(private=False), *unknown]}))
    controller = with_jwks(str(path))
    assert user(controller, token(KEY, claims(), kid="mine")) == "alice"
    assert user(controller, token(OTHER, claims(iss="other"), kid=OTHER.thumbprint())) == "alice"
    assert user(controller, token(OTHER, claims(), jwk=OTHER.as_dict(private=False))) == "alice"
    assert user(controller, token(KEY, claims(), jwk=named)) == "alice"
    for text in (
        token(OctKey.import_key("secret" * 6), claims(), "HS256", kid="secret"),
        token(RSA, claims(), "RS256", jwk=RSA.as_dict(private=False) | {"kid": "mine"}),
        token(OTHER, claims(), x5c=x5c([certificate(OTHER)])),
        token(OTHER, claims(), kid="mine"),
    ):
        assert "invalid_token" in refused(controller, text)


class Site:
    """A web server on loopback that answers with `content` and counts."""

    def __init__(self) -> None:
        self.content = ""
        self.status = 200
        self.headers: dict[str, str] = {}
        self.asked = 0
        self.url = ""


@contextmanager
def site() -> Iterator[Site]:
    served = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            self.send_response(served.status)
            for name, value in served.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(served.content.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}/jwks.json"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that lets time go by for key sets."""
    now = [1000.0]
    init = JWKS.__init__

    def with_clock(self: JWKS, place: str, **options: Any) -> None:
        init(self, place, clock=lambda: now[0], **options)

    monkeypatch.setattr(JWKS, "__init__", with_clock)
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def test_a_key_set_at_a_url_is_fetched_once_and_again_for_an_unknown_key_but_not_often(
    clock: Callable[[float], None],
) -> None:
    with site() as served:
        served.content = key_set(KEY, kid="one")
        controller = with_jwks(served.url)
        assert served.asked == 0
        for number in range(3):
            assert user(controller, token(KEY, claims(jti=str(number)), kid="one")) == "alice"
        assert served.asked == 1
        served.content = key_set(OTHER, kid="two")
        rotated = token(OTHER, claims(), kid="two")
        for _ in range(50):
            assert "invalid_token" in refused(controller, rotated)
        assert served.asked == 1
        clock(31)
        assert user(controller, rotated) == "alice"
        for number in range(50):
            assert "invalid_token" in refused(controller, token(KEY, claims(), kid=f"made up {number}"))
        assert served.asked == 2


def test_a_key_set_that_cannot_be_fetched_is_no_reason_to_forget_the_last_one(
    clock: Callable[[float], None],
) -> None:
    with site() as served:
        served.content = key_set(KEY, kid="one")
        controller = with_jwks(served.url)
        assert user(controller, token(KEY, claims(), kid="one")) == "alice"
        for status, content in ((500, ""), (200, "nothing"), (200, "[]"), (200, "[" * 9000), (200, " " * 600_000)):
            clock(4000)
            served.status, served.content = status, content
            assert user(controller, token(KEY, claims(jti=content[:9]), kid="one")) == "alice"
        assert served.asked == 6


def test_a_key_set_is_taken_from_nowhere_else(clock: Callable[[float], None]) -> None:
    with site() as evil, site() as served:
        evil.content = key_set(OTHER, kid="one")
        served.status, served.headers = 302, {"Location": evil.url}
        assert "invalid_token" in refused(with_jwks(served.url), token(OTHER, claims(), kid="one"))
        assert evil.asked == 0


def test_those_who_come_while_a_key_set_is_fetched_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def slow(url: str) -> bytes:
        fetched.append(url)
        time.sleep(0.2)
        return key_set(KEY, kid="one").encode()

    monkeypatch.setattr(jwks, "fetch", slow)
    keys = JWKS("https://auth.example.com/jwks.json")
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(keys.find(CTX, "one"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1
    assert len(found) == 8
    assert None not in found


# ── start-up ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rootcertbundle": ""}, "rootcertbundle or jwks is required"),
        ({"rootcertbundle": "/absent"}, "rootcertbundle: cannot read"),
        ({"rootcertbundle": __file__}, "rootcertbundle: cannot read"),
        ({"jwks": "/absent"}, "jwks: cannot read"),
        ({"jwks": __file__}, "jwks: cannot read"),
        ({"signingalgorithms": ["ES256", "HS256"]}, "signingalgorithms: 'HS256' is not allowed"),
        ({"signingalgorithms": ["none"]}, "signingalgorithms: 'none' is not allowed"),
        ({"signingalgorithms": []}, "signingalgorithms: must be a list"),
        ({"realm": ""}, "realm: required"),
        ({"service": ""}, "service and issuer"),
        ({"issuer": []}, "service and issuer"),
        ({"autoredirectpath": "token"}, "autoredirectpath"),
    ],
)
def test_what_cannot_work_does_not_start(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(pem(ROOT))
    options = {"realm": "https://auth", "service": SERVICE, "issuer": ISSUER, "rootcertbundle": str(bundle)}
    TokenController(**options)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=words):
        TokenController(**(options | changes))  # type: ignore[arg-type]


def test_only_the_configured_algorithms_are_taken(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(pem(ROOT, certificate(RSA, "rsa")))
    controller = TokenController(
        realm="https://auth", service=SERVICE, issuer=ISSUER, rootcertbundle=str(bundle), signingalgorithms=["ES256"]
    )
    assert user(controller, token(KEY, claims(), kid=KID)) == "alice"
    assert "invalid_token" in refused(controller, token(RSA, claims(), "RS256", kid=kid_of(RSA)))


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        ("registry.example.com:5000", "https://registry.example.com:5000/token"),
        ('evil",realm="x', "https://registry.example.com:443/token"),
    ],
)
def test_autoredirect_names_the_host_that_the_client_came_to(host: str, realm: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(pem(ROOT))
    controller = TokenController(
        service=SERVICE, issuer=ISSUER, rootcertbundle=str(bundle), autoredirect=True, autoredirectpath="/token"
    )
    with pytest.raises(Unauthorized) as raised:
        controller.authorize(CTX, environ({"HTTP_HOST": host}), ())
    assert raised.value.headers["WWW-Authenticate"] == f'Bearer realm="{realm}",service="{SERVICE}"'


def test_the_catalog_is_all_of_it_for_whom_the_token_server_gave_it(controller: TokenController) -> None:
    catalog = Access("registry", "catalog", "*")
    access = [{"type": "registry", "name": "catalog", "actions": ["*"]}]
    environ_ = environ(bearer(token(KEY, claims(access=access), kid=KID)))
    assert controller.authorize(CTX, environ_, (catalog,)).may(PULL)
    assert not controller.authorize(CTX, environ_, ()).may(PULL)
