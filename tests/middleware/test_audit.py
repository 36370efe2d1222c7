"""The audit log: what is told of writes, logins and refusals, and that no line is lost, torn or anybody else's."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
from webtest import TestApp

from registry_wsgi import mediatypes
from registry_wsgi.app import build
from registry_wsgi.config import load
from registry_wsgi.descriptor import Digest
from registry_wsgi.errors import ConfigurationError, Denied
from registry_wsgi.middleware import audit
from tests import storages
from tests.auth import forge
from tests.stack import image_manifest, push_blob, push_image
from tests.wire import Client

if TYPE_CHECKING:
    from registry_wsgi.interfaces import Grant
    from tests.conftest import Serve

MANUAL = (Path(__file__).parents[2] / "docs" / "access.md").read_text()
ADDRESS = "203.0.113.7"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    path = tmp_path / "htpasswd"
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    path.write_text(f"alice:{hashed}\nbob:{hashed}\n")
    return path


def rules_over(passwords: Path) -> dict[str, Any]:
    rules = [
        {"allow": "*", "who": "user:alice"},
        {"allow": "pull", "who": "*", "repositories": "public/**"},
        {"deny": "push", "who": "user:bob", "repositories": "public/**", "reason": "bob is on leave"},
    ]
    return {"policy": {"users": {"htpasswd": {"realm": "R", "path": str(passwords)}}, "rules": rules}}


def app_with(log: Path, auth: dict[str, Any], **sections: Any) -> TestApp:
    config = {
        "storage": {**storages.new_section(), "delete": {"enabled": True}},
        "log": {"audit": str(log)},
        "auth": auth,
    }
    return TestApp(build(load({**config, **sections})))


@pytest.fixture
def app(log: Path, passwords: Path) -> TestApp:
    return app_with(log, rules_over(passwords))


def as_user(app: TestApp, user: str, password: str = "secret") -> TestApp:
    app.extra_environ = {"REMOTE_ADDR": ADDRESS, **(forge.basic(user, password) if user else {})}
    return app


def lines(log: Path) -> list[dict[str, Any]]:
    """Return the lines since this was last asked."""
    if not log.exists():
        return []
    found = [json.loads(line) for line in log.read_text().splitlines()]
    log.write_text("")
    return found


def told(log: Path, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(line[name] for name in names) for line in lines(log)]


def test_a_line_has_these_fields_and_no_others(app: TestApp, log: Path) -> None:
    digest = push_blob(as_user(app, "alice"), "team/app", b"content")
    (line,) = lines(log)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert re.fullmatch(r"[0-9a-f-]{36}", line.pop("id"))
    assert line == {
        "address": ADDRESS,
        "user": "alice",
        "action": "push",
        "repository": "team/app",
        "reference": "",
        "digest": digest,
        "from": "",
        "outcome": "allowed",
        "status": 201,
        "rule": "policy rule 1: allow * to user:alice on **",
    }


def test_the_manual_lists_the_fields(app: TestApp, log: Path) -> None:
    push_blob(as_user(app, "alice"), "public/app", b"content")
    (line,) = lines(log)
    section = MANUAL.partition("## The audit log")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(line)


def test_each_thing_that_is_written_is_a_line(app: TestApp, log: Path) -> None:
    as_user(app, "alice")
    image = push_image(app, "public/app", "v1", b"config")
    config = Digest.of(b"config")
    told_of = ("action", "repository", "reference", "digest", "from", "outcome")
    assert told(log, *told_of) == [
        ("push", "public/app", "", config, "", "allowed"),
        ("push", "public/app", "v1", image, "", "allowed"),
    ]
    app.post(f"/v2/public/copy/blobs/uploads/?mount={config}&from=public/app", status=201)
    app.delete("/v2/public/app/manifests/v1", status=202)
    app.delete(f"/v2/public/app/blobs/{config}", status=202)
    assert told(log, *told_of) == [
        ("mount", "public/copy", "", config, "public/app", "allowed"),
        ("delete", "public/app", "v1", "", "", "allowed"),
        ("delete", "public/app", "", config, "", "allowed"),
    ]


def test_an_upload_is_told_of_at_its_end(app: TestApp, log: Path) -> None:
    location = as_user(app, "alice").post("/v2/a/blobs/uploads/", status=202).headers["Location"]
    location = app.patch(location, b"con", status=202).headers["Location"]
    app.delete(app.post("/v2/a/blobs/uploads/", status=202).headers["Location"], status=204)
    assert lines(log) == []
    app.put(f"{location}?digest={Digest.of(b'content')}", b"tent", status=201)
    assert told(log, "action", "digest") == [("push", Digest.of(b"content"))]


def test_a_write_that_came_to_nothing_is_told_of(app: TestApp, log: Path) -> None:
    absent = Digest.of(b"absent")
    as_user(app, "alice").put(
        "/v2/a/manifests/v1", image_manifest(absent), headers={"Content-Type": mediatypes.OCI_MANIFEST}, status=400
    )
    app.delete(f"/v2/a/blobs/{absent}", status=404)
    assert told(log, "action", "reference", "digest", "outcome", "status") == [
        ("push", "v1", "", "failed", 400),
        ("delete", "", absent, "failed", 404),
    ]


def test_reads_that_are_answered_are_not_told_of(app: TestApp, log: Path) -> None:
    digest = push_blob(as_user(app, "alice"), "public/app", b"content")
    lines(log)
    for user in ("alice", "bob", ""):
        as_user(app, user).get(f"/v2/public/app/blobs/{digest}")
        app.get("/v2/public/app/manifests/absent", status=404)
    assert lines(log) == []


def test_a_refusal_is_told_of_with_the_rule(app: TestApp, log: Path) -> None:
    as_user(app, "bob").post("/v2/public/app/blobs/uploads/", status=403)
    app.get("/v2/secret/manifests/v1", status=403)
    as_user(app, "").get(f"/v2/secret/blobs/{Digest.of(b'x')}", status=401)
    app.get("/v2/_catalog", status=401)
    app.get("/v2/", status=401)  # a client's first question is no attempt at anything
    assert told(log, "user", "action", "repository", "reference", "outcome", "status", "rule") == [
        ("bob", "push", "public/app", "", "denied", 403, "policy rule 3: deny push to user:bob on public/**"),
        ("bob", "pull", "secret", "v1", "denied", 403, "policy: no rule allows it"),
        ("", "pull", "secret", "", "denied", 401, "policy: no rule allows it"),
        ("", "catalog", "", "", "denied", 401, "policy: no rule allows it"),
    ]


@pytest.mark.parametrize(("refusal", "user"), [(Denied(user="carol"), "carol"), (Denied("not today"), "")])
def test_who_is_refused_by_a_function_of_the_host_is_told_if_it_says_so(log: Path, refusal: Denied, user: str) -> None:
    def authorize(environ: object, access: object) -> Grant:
        raise refusal

    app = app_with(log, {"callable": {"function": authorize}})
    app.get("/v2/a/tags/list", status=403)
    assert told(log, "user", "action", "outcome") == [(user, "pull", "denied")]


def test_logins_are_told_of_whether_they_succeed_or_not(log: Path, passwords: Path) -> None:
    auth = {"htpasswd": {"realm": "R", "path": str(passwords)}}
    app = app_with(log, auth, http={"loginlimit": {"attempts": 2, "window": "1h"}})
    as_user(app, "alice").get("/v2/")
    as_user(app, "mallory").get("/v2/", status=401)
    as_user(app, "alice", "wrong").get("/v2/a/tags/list", status=401)
    as_user(app, "alice").get("/v2/", status=429)
    assert told(log, "user", "action", "outcome", "status", "address") == [
        ("alice", "login", "allowed", 200, ADDRESS),
        ("mallory", "login", "denied", 401, ADDRESS),
        ("alice", "login", "denied", 401, ADDRESS),
        ("alice", "login", "denied", 429, ADDRESS),
    ]


def test_where_tokens_are_issued_a_login_is_asking_for_one(log: Path, passwords: Path, tmp_path: Path) -> None:
    issuer = {"service": "S", "keys": str(tmp_path / "keys"), "users": rules_over(passwords)}
    app = app_with(log, {"issuer": issuer})
    scope = {"scope": "repository:public/app:pull"}
    as_user(app, "").get("/auth/token", scope)  # anybody's
    as_user(app, "").get("/auth/jwks.json")
    assert lines(log) == []
    token = as_user(app, "alice").get("/auth/token", scope).json["token"]
    password = {"grant_type": "password", "username": "mallory", "password": "wrong"}
    as_user(app, "").post("/auth/token", password, status=401)
    app.extra_environ = forge.bearer(token)
    app.post("/v2/public/app/blobs/uploads/", status=401)
    assert told(log, "user", "action", "repository", "outcome", "rule") == [
        ("alice", "login", "", "allowed", "htpasswd: any user of the file"),
        ("mallory", "login", "", "denied", "htpasswd: no such user with this password"),
        ("alice", "push", "public/app", "denied", "token: what the token does not list"),
    ]


def test_a_client_writes_no_lines_of_its_own_and_none_without_end(app: TestApp, log: Path) -> None:
    as_user(app, 'x"\n{"user":"root"}' + "\u2028" * 5000, "wrong").get("/v2/" + "a/" * 4000 + "tags/list", status=401)
    content = log.read_bytes()
    assert content.count(b"\n") == 1
    assert len(content) <= 4096
    assert json.loads(content)["user"].startswith('x"\n{"user"')


def test_a_request_that_fails_unforeseen_is_told_of(app: TestApp, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry_wsgi.storage.registry.Registry.repository", None)
    as_user(app, "alice").post(f"/v2/a/blobs/uploads/?digest={Digest.of(b'')}", b"", status=500)
    assert told(log, "action", "repository", "outcome", "status") == [("push", "a", "failed", 500)]


def test_a_log_that_was_moved_away_is_begun_anew(app: TestApp, log: Path) -> None:
    as_user(app, "bob").get("/v2/")
    os.rename(log, f"{log}.1")
    app.get("/v2/")
    app.get("/v2/")
    assert len(lines(log)) == 2
    os.truncate(log, 0)  # logrotate's copytruncate
    app.get("/v2/")
    assert len(lines(log)) == 1
    assert log.stat().st_mode & 0o007 == 0


def test_what_cannot_be_written_is_an_error_in_the_log_and_the_request_goes_on(
    app: TestApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(descriptor: int, line: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(audit.os, "write", full)
    with monkeypatch.context() as propagating:
        propagating.setattr("logging.Logger.propagate", True, raising=False)
        push_blob(as_user(app, "alice"), "a", b"content")
    assert "a line of the audit log could not be written" in caplog.messages


def test_a_log_that_cannot_be_opened_does_not_start(tmp_path: Path, passwords: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"log\.audit: cannot append to .*: Is a directory"):
        app_with(tmp_path, rules_over(passwords))


def test_workers_and_threads_tear_no_line(serve: Serve, log: Path) -> None:
    arguments = ("--workers", "3", "--threads", "4")
    server = serve(kind="gunicorn", sections={"log": {"audit": str(log)}}, arguments=arguments)
    client = Client(server.url)

    def push(number: int) -> str:
        return client.push_blob(f"{'long/' * 40}{number}", f"{number}".encode())

    with ThreadPoolExecutor(12) as pool:
        digests = list(pool.map(push, range(120)))
    written = lines(log)
    assert sorted(line["digest"] for line in written) == sorted(digests)
    assert {line["user"] for line in written} == {""}


def test_lines_may_go_to_the_standard_output(serve: Serve) -> None:
    sections = {"log": {"audit": "stdout", "accesslog": {"disabled": True}, "level": "error"}}
    server = serve(sections=sections)
    digest = Client(server.url).push_blob("a", b"content")
    found = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    assert [(line["action"], line["digest"]) for line in found] == [("push", digest)]
