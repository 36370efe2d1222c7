"""Attacks, each by its CVE or topic: what happened to registries and to what they are made of, tried on this one.

A row is a function that attacks a `World`. What takes servers, clients or time is tried elsewhere, too: forged
tokens in tests/auth/test_token.py, forged identities in test_oidc.py, guessing in tests/middleware/test_logins.py.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import bcrypt
import pytest
from joserfc.jwk import ECKey
from webtest import TestApp

from registry_wsgi import mediatypes
from registry_wsgi.app import build
from registry_wsgi.config import load
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.errors import ConfigurationError, ManifestInvalid
from registry_wsgi.storage import paths
from registry_wsgi.storage.validation import URLRules
from tests import storages
from tests.auth import forge
from tests.stack import image_manifest, push_blob, push_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY, OTHER = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
KID = forge.kid_of(KEY)
MANIFEST_LIMIT = 4 * 1024 * 1024
EVIL = "evil.example.com"
RULES = [
    {"allow": "*", "who": "user:root"},
    {"allow": ["pull", "push", "delete"], "who": "user:alice", "repositories": "a/**"},
    {"allow": "pull", "who": "*", "repositories": "public/**"},
    {"allow": "catalog", "who": "authenticated"},
]


@dataclass
class World:
    """A directory, and the files that access control needs."""

    directory: Path

    def __post_init__(self) -> None:
        hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
        (self.directory / "htpasswd").write_text(f"alice:{hashed}\nroot:{hashed}\n")
        (self.directory / "bundle.pem").write_bytes(forge.pem(forge.certificate(KEY)))

    @property
    def users(self) -> dict[str, Any]:
        return {"htpasswd": {"realm": "R", "path": str(self.directory / "htpasswd")}}

    @property
    def policy(self) -> dict[str, Any]:
        return {"policy": {"users": self.users, "rules": RULES}}

    def registry(self, *, auth: dict[str, Any] | None = None, delete: bool = True, **sections: Any) -> TestApp:
        storage = {
            **storages.section(self.directory / "data"),
            "delete": {"enabled": delete},
            "cache": {"blobdescriptor": "inmemory"},
        }
        return TestApp(build(load({"storage": storage, "auth": auth or {"none": {}}, **sections})))

    def stored(self) -> set[str]:
        """Return the paths of all files that the registry stores."""
        return {path for path, _ in storages.files_at(self.directory / "data")}

    def with_tokens(self) -> TestApp:
        """Return a registry that trusts the token server whose key is KEY."""
        bundle = str(self.directory / "bundle.pem")
        names = {"realm": "https://auth", "service": forge.SERVICE, "issuer": forge.ISSUER}
        return self.registry(auth={"token": {**names, "rootcertbundle": bundle}})

    def issuing(self) -> TestApp:
        keys = str(self.directory / "keys")
        return self.registry(auth={"issuer": {"service": "S", "keys": keys, "users": self.policy}})


ATTACKS: dict[str, Callable[[World], None]] = {}


def attack(topic: str) -> Callable[[Callable[[World], None]], None]:
    """Make a function a row of the table."""

    def noted(row: Callable[[World], None]) -> None:
        assert topic not in ATTACKS
        ATTACKS[topic] = row

    return noted


def as_user(app: TestApp, user: str) -> TestApp:
    app.extra_environ = forge.basic(user, "secret") if user else {}
    return app


def refuses(app: TestApp, token: str, error: str = "invalid_token", path: str = "/v2/a/b/tags/list") -> None:
    app.extra_environ = forge.bearer(token)
    assert f'error="{error}"' in app.get(path, status=401).headers["WWW-Authenticate"]


def said(token: str) -> Any:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def put_manifest(app: TestApp, payload: bytes, status: int, media_type: str = mediatypes.OCI_MANIFEST) -> Any:
    return app.put("/v2/a/b/manifests/v1", payload, headers={"Content-Type": media_type}, status=status)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# ── what is sent and asked for ────────────────────────────────────────────────────────────────


@attack("CVE-2017-11468: a manifest without end")
def _(world: World) -> None:
    app = world.registry()
    answer = put_manifest(app, b" " * (MANIFEST_LIMIT + 1), 413)
    assert str(MANIFEST_LIMIT) in answer.json["errors"][0]["detail"]


@attack("CVE-2021-41190: a manifest that is an index, too")
def _(world: World) -> None:
    app = world.registry()
    digest = push_blob(app, "a/b", b"{}")
    both = json.loads(image_manifest(digest)) | {"manifests": []}
    put_manifest(app, json.dumps(both).encode(), 400)
    put_manifest(app, image_manifest(digest), 400, mediatypes.OCI_INDEX)
    index = {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": [], "layers": []}
    put_manifest(app, json.dumps(index).encode(), 400, mediatypes.OCI_INDEX)


@attack("CVE-2023-2253: a catalog page of a billion entries")
def _(world: World) -> None:
    app = world.registry()
    push_blob(app, "a/b", b"content")
    for number in ("1000000000", "99999999999999999999999", "-1", "0x10", "1e9", "٣"):
        answer = app.get("/v2/_catalog", {"n": number}, status=[200, 400])
        assert answer.status_int == 400 or answer.json["repositories"] == ["a/b"]


@attack("CVE-2026-33540: credentials for the server that another server names")
def _(world: World) -> None:
    # Nothing here logs in at another registry: what would, is refused by its key, and asks for a row of its own.
    with pytest.raises(ConfigurationError, match=r"proxy\.remoteurl: .* not available"):
        world.registry(proxy={"remoteurl": f"https://{EVIL}", "username": "u", "password": "p"})


@attack("CVE-2026-35172: a deleted blob that a cache still has")
def _(world: World) -> None:
    app = world.registry()
    digest = push_blob(app, "a/b", b"content")
    push_blob(app, "c", b"content")
    for name in ("a/b", "c"):
        app.get(f"/v2/{name}/blobs/{digest}", status=200)
    app.delete(f"/v2/a/b/blobs/{digest}", status=202)
    for path in (f"/v2/a/b/blobs/{digest}", f"/v2/a/b/manifests/{digest}"):
        app.get(path, status=404)
        app.head(path, status=404)
    app.get(f"/v2/c/blobs/{digest}", status=200)


@attack("CVE-2026-41888: a tag deleted where deletion is off")
def _(world: World) -> None:
    app = world.registry(delete=False)
    digest = push_image(app, "a/b", "v1", b"{}")
    for reference in ("v1", digest):
        app.delete(f"/v2/a/b/manifests/{reference}", status=405)
    app.get("/v2/a/b/manifests/v1", status=200)


TRAVERSALS = [
    *(
        "..",
        "../..",
        "%2e%2e",
        "%2e%2e%2f",
        "..%2f..%2f",
        "%252e%252e",
        "..%5c",
        ".",
        "a/../b",
        "a//b",
        "a/./b",
        "/etc",
    ),
    *("%00", "a%00b", "a%0a", "a%0d%0aX: y", "\u2025", "\uff0e\uff0e", "%c0%ae%c0%ae", "A", "_a", "a_", "a" * 300),
]


@attack("path traversal: names, tags, digests and upload ids that are paths")
def _(world: World) -> None:
    app = world.registry()
    push_image(app, "a/b", "v1", b"{}")
    (world.directory / "secret").write_text("secret")
    before = world.stored(), set(world.directory.rglob("*"))
    patterns = ("{}/tags/list", "{}/manifests/v1", "{}/blobs/sha256:" + "0" * 64, "a/b/manifests/{}/x", "a/b/blobs/{}")
    for text in TRAVERSALS:
        quoted = quote(text, safe="%/")
        for pattern in (*patterns, "a/b/blobs/uploads/{}", "a/b/referrers/{}"):
            answer = app.get("/v2/" + pattern.format(quoted), status="*")
            assert answer.status_int in (400, 404, 405) or answer.body in (b"{}\n",), (pattern, text, answer.status)
        for method, pattern in (
            ("PUT", "{}/manifests/v1"),
            ("POST", "{}/blobs/uploads/"),
            ("PATCH", "a/b/blobs/uploads/{}"),
        ):
            answer = app.request("/v2/" + pattern.format(quoted), method=method, body=b"x", status="*")
            assert answer.status_int in (400, 404, 405), (method, pattern, text, answer.status)
    assert (world.stored(), set(world.directory.rglob("*"))) == before


@attack("Location poisoning: a Host and X-Forwarded headers of the client's")
def _(world: World) -> None:
    app = world.registry()
    headers = {"Host": EVIL, "X-Forwarded-Host": EVIL, "X-Forwarded-Proto": "ftp", "X-Forwarded-Prefix": "/evil"}
    answer = app.post("/v2/a/b/blobs/uploads/", headers=headers, status=202)
    assert answer.headers["Location"].startswith("/v2/a/b/blobs/uploads/")


@attack("form parsing: a body that looks like a form")
def _(world: World) -> None:
    app = world.registry()
    content = b"digest=sha256:0&mount=x&from=y"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    location = app.post("/v2/a/b/blobs/uploads/", content, headers=form, status=202).headers["Location"]
    digest = Digest.of(content)
    app.put(f"{location}?digest={digest}", content, headers=form, status=201)
    assert app.get(f"/v2/a/b/blobs/{digest}").body == content


@attack("a digest that its content has not")
def _(world: World) -> None:
    app = world.registry()
    claimed, own = Digest.of(b"claimed"), Digest.of(b"own")
    app.post(f"/v2/a/b/blobs/uploads/?digest={claimed}", b"own", status=400)
    location = app.post("/v2/a/b/blobs/uploads/", status=202).headers["Location"]
    app.put(f"{location}?digest={claimed}", b"own", status=400)
    for digest in (claimed, own):
        app.get(f"/v2/a/b/blobs/{digest}", status=404)


@attack("If-None-Match of a digest that nobody has")
def _(world: World) -> None:
    app, absent = world.registry(), Digest.of(b"absent")
    for kind in ("blobs", "manifests"):
        for header in (f'"{absent}"', absent, "*"):
            app.get(f"/v2/a/b/{kind}/{absent}", headers={"If-None-Match": str(header)}, status=404)


@attack("HMAC state: an upload goes on at another process without a secret of both")
def _(world: World) -> None:
    location = world.registry().post("/v2/a/b/blobs/uploads/", status=202).headers["Location"]
    other = world.registry(http={"secret": "another"})
    other.put(f"{location}?digest={Digest.of(b'content')}", b"content", status=201)


@attack("a stale cache: what garbage collection took is written again")
def _(world: World) -> None:
    app = world.registry()
    digest = push_blob(app, "a/b", b"content")
    storages.driver_at(world.directory / "data").delete(Context(), paths.blob_data(digest))
    push_blob(app, "a/b", b"content")
    assert app.get(f"/v2/a/b/blobs/{digest}").body == b"content"


@attack("ReDoS: an operator's pattern over a stranger's URL")
def _(world: World) -> None:
    rules = URLRules(["^https://(a+)+$"], [])
    with pytest.raises(ManifestInvalid):
        rules.check("https://" + "a" * 5000 + "!")  # a backtracking engine would not come back


@attack("the debug server: nothing of it is on the registry's own port")
def _(world: World) -> None:
    for path in ("/debug/health", "/debug/vars", "/debug/pprof/", "/metrics", "/v2/../debug/health"):
        as_user(world.registry(auth=world.policy), "").get(path, status=[401, 404])
        world.registry().get(path, status=404)


# ── who may do what ───────────────────────────────────────────────────────────────────────────


@attack("an existence oracle: 401 and 404, and 403 and 404, tell nothing apart")
def _(world: World) -> None:
    app = world.registry(auth=world.policy)
    digest = push_image(as_user(app, "root"), "secret", "v1", b"{}")
    for user, status in (("", 401), ("alice", 403)):
        for path in ("tags/list", "manifests/v1", f"manifests/{digest}", f"blobs/{digest}", f"referrers/{digest}"):
            answers = [as_user(app, user).get(f"/v2/{name}/{path}", status=status) for name in ("secret", "absent")]
            assert answers[0].text.replace("secret", "absent") == answers[1].text
            assert answers[0].headers.get("WWW-Authenticate") == answers[1].headers.get("WWW-Authenticate")


@attack("a mount from where the client may not pull")
def _(world: World) -> None:
    app = world.registry(auth=world.policy)
    digest = push_blob(as_user(app, "root"), "secret", b"content")
    as_user(app, "alice")
    for source in (
        "from=secret",
        "from=absent",
        "from=SECRET",
        "from=public/x&from=secret",
        "%66rom=secret",
        "fr%6Fm=x",
    ):
        app.post(f"/v2/a/b/blobs/uploads/?mount={digest}&{source}", status=403)
    app.post(f"/v2/a/b/blobs/uploads/?mount={digest}", status=202)
    app.get(f"/v2/a/b/blobs/{digest}", status=404)


@attack("a method in lower case, which needs no access and is none of ours")
def _(world: World) -> None:
    app = world.registry(auth=world.policy)
    digest = push_image(as_user(app, "root"), "secret", "v1", b"{}")
    as_user(app, "alice").lint = False  # it has not heard of such methods
    for method in ("get", "Head", "put", "post", "patch", "delete", "Delete"):
        for path in ("manifests/v1", f"manifests/{digest}", f"blobs/{digest}", "blobs/uploads/", "tags/list"):
            app.request(f"/v2/secret/{path}", method=method, status=405)
    as_user(app, "root").get("/v2/secret/manifests/v1", status=200)


@attack("htpasswd auto-user: a password file that is not there")
def _(world: World) -> None:
    path = world.directory / "absent"
    with pytest.raises(ConfigurationError, match="cannot read the password file"):
        world.registry(auth={"htpasswd": {"realm": "R", "path": str(path)}})
    assert not path.exists()


@attack("Basic with NUL, without UTF-8, without a colon")
def _(world: World) -> None:
    app = world.registry(auth=world.users)
    for credentials in ("alice\0:secret", "alice:secret\0", "alice\0bob:secret", "alice", ":", "alice:"):
        app.extra_environ = forge.basic(*credentials.partition(":")[::2]) if ":" in credentials else {}
        app.get("/v2/", status=401)
    for header in ("Basic /w==", "Basic YWxpY2U6/w==", "Basic YWxpY2U=", "Basic ====", "Basic YWxpY2U6c2VjcmV0 x"):
        app.extra_environ = {"HTTP_AUTHORIZATION": header}
        app.get("/v2/", status=401)


@attack("two Authorization values, which servers join")
def _(world: World) -> None:
    basic = forge.basic("alice", "secret")["HTTP_AUTHORIZATION"]
    token = f"Bearer {forge.token(KEY, forge.claims(), kid=KID)}"
    for app, right in ((world.registry(auth=world.users), basic), (world.with_tokens(), token)):
        for header in (f"{right}, {right}", f"{right},{right}", f"Basic eDp5, {right}", f"{right}, Bearer x"):
            app.extra_environ = {"HTTP_AUTHORIZATION": header}
            app.get("/v2/", status=401)
        app.extra_environ = {"HTTP_AUTHORIZATION": right}
        app.get("/v2/", status=200)


@attack("guessing passwords by the thousand")
def _(world: World) -> None:
    app = world.registry(auth=world.users, http={"loginlimit": {"attempts": 3, "window": "1h"}})
    app.extra_environ = {**forge.basic("alice", "guess"), "REMOTE_ADDR": "203.0.113.7"}
    statuses = [app.get("/v2/", status="*").status_int for _ in range(20)]
    assert statuses == [401] * 3 + [429] * 17
    assert int(app.get("/v2/", status=429).headers["Retry-After"]) > 0


# ── tokens ────────────────────────────────────────────────────────────────────────────────────


@attack("CVE-2020-26160: an audience that is a list, or none")
def _(world: World) -> None:
    app = world.with_tokens()
    for audience in ([], [""], ["other"], [[forge.SERVICE]], {forge.SERVICE: 1}, "", None, 1, forge.SERVICE + "x"):
        refuses(app, forge.token(KEY, forge.claims(aud=audience), kid=KID))


@attack("CVE-2025-24976: another key under a trusted id in the token's header")
def _(world: World) -> None:
    public = OTHER.as_dict(private=False) | {"kid": KID}
    refuses(world.with_tokens(), forge.token(OTHER, forge.claims(), jwk=public))
    refuses(world.with_tokens(), forge.token(OTHER, forge.claims(), jwk=public, kid=KID))


@attack("algorithm confusion: a public key as a secret, and no signature")
def _(world: World) -> None:
    app = world.with_tokens()
    refuses(app, forge.hs256(KEY.as_pem(private=False), forge.claims(), KID))
    for name in ("none", "None", "NONE", "nOnE", "HS256", "HS512", "", None):
        refuses(app, forge.unsigned({"alg": name, "kid": KID}, forge.claims()))


@attack("kid injection: an id that is a path, a query, a URL")
def _(world: World) -> None:
    app = world.with_tokens()
    for kid in (
        "../../../../dev/null",
        "/dev/null",
        "x' OR '1'='1",
        "http://127.0.0.1:9/k",
        "$(id)",
        "|id",
        "",
        KID + "\0",
    ):
        refuses(app, forge.token(OTHER, forge.claims(), kid=kid))
    refuses(app, forge.token(OTHER, forge.claims(), jku="http://127.0.0.1:9/jwks.json"))


@attack("a token that is expired, not valid yet, or without an end")
def _(world: World) -> None:
    now = int(time.time())
    for claims in ({"exp": now - 120}, {"exp": 0}, {"exp": None}, {"exp": "never"}, {"nbf": now + 3600}):
        refuses(world.with_tokens(), forge.token(KEY, forge.claims(**claims), kid=KID))


@attack("a token of another issuer, or for another service")
def _(world: World) -> None:
    for claims in ({"iss": EVIL}, {"iss": None}, {"iss": [forge.ISSUER]}, {"aud": EVIL}):
        refuses(world.with_tokens(), forge.token(KEY, forge.claims(**claims), kid=KID))


@attack("a token for repository a used on a/b, and the other way round")
def _(world: World) -> None:
    app = world.with_tokens()
    for granted, asked in (("a", "a/b"), ("a/b", "a"), ("a/b", "a/b/c"), ("a/*", "a/b"), ("*", "a"), ("a%2Fb", "a/b")):
        access = [{"type": "repository", "name": granted, "actions": ["*"]}]
        refuses(
            app, forge.token(KEY, forge.claims(access=access), kid=KID), "insufficient_scope", f"/v2/{asked}/tags/list"
        )


@attack("scope smuggling: more in `scope=` than a client may")
def _(world: World) -> None:
    app = as_user(world.issuing(), "alice")
    for scope in (
        "repository:a/b:pull,push repository:secret:pull",
        "repository:secret,a/b:pull",
        "repository:a/b repository:secret:*:pull",
        "repository:a/b:pull:repository:secret:pull",
        "repository:a/../secret:pull",
        "repository:*:*",
        "repository:secret:*",
        "repository(plugin):secret:pull",
        "registry:catalog:* registry:secret:*",
        "repository:a/b\n:pull",
        "REPOSITORY:secret:pull",
    ):
        token = app.get("/auth/token", {"scope": scope, "service": "S"}).json["token"]
        listed = said(token)["access"]
        assert {entry["name"] for entry in listed} <= {"a/b", "catalog"}, scope


@attack("challenge smuggling: words of the client's in WWW-Authenticate")
def _(world: World) -> None:
    app = world.with_tokens()
    for path in ('/v2/a",realm="https://evil/tags/list', "/v2/a%0d%0aX-Evil: 1/tags/list", "/v2/a\\/tags/list"):
        answer = app.get(path, status=401)
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith('Bearer realm="https://auth",service="registry.example.com",scope="repository:a')
        assert ',realm="' not in challenge.replace('\\"', "")
        assert "X-Evil" not in answer.headers
    answer = app.get('/v2/a/tags/list?from=b",realm="https://evil', status=401)
    assert ',realm="' not in answer.headers["WWW-Authenticate"].replace('\\"', "")


@attack("a token that is tried as a password, and a token in the name of somebody with a password")
def _(world: World) -> None:
    bundle = str(world.directory / "bundle.pem")
    tokens = {"realm": "https://auth", "service": forge.SERVICE, "issuer": forge.ISSUER, "rootcertbundle": bundle}
    app = world.registry(auth={"either": {"tokens": {"token": tokens}, "passwords": world.users}})
    refuses(app, forge.token(KEY, forge.claims(), kid=KID))  # of alice
    for token in (
        forge.token(OTHER, forge.claims(sub="bob"), kid=KID),
        forge.unsigned({"alg": "none"}, {"sub": "bob"}),
    ):
        refuses(app, token)
        app.extra_environ = forge.basic("alice", token)
        app.get("/v2/", status=401)
    app.extra_environ = forge.bearer(forge.token(KEY, forge.claims(sub="bob"), kid=KID))
    app.get("/v2/", status=200)
    as_user(app, "alice").get("/v2/", status=200)


@pytest.mark.parametrize("topic", ATTACKS)
def test_an_attack_comes_to_nothing(topic: str, world: World) -> None:
    ATTACKS[topic](world)
