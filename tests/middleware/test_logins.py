"""Failed logins: how many an address may have, what it is told then, and what that costs."""

from __future__ import annotations

import base64
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
from webtest import TestApp

from registry_wsgi.app import build
from registry_wsgi.auth import htpasswd
from registry_wsgi.auth.challenge import basic_challenge, bearer_challenge
from registry_wsgi.config import load
from registry_wsgi.errors import ConfigurationError, TooManyRequests, Unauthorized
from registry_wsgi.middleware import failures
from registry_wsgi.middleware.logins import LoginLimit
from tests import storages
from tests.wire import Client

if TYPE_CHECKING:
    from pathlib import Path

    from registry_wsgi.interfaces import WSGIApplication
    from tests.conftest import Serve

WRONG = basic_challenge("R")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def of(address: str, credentials: str = basic("alice", "wrong")) -> dict[str, Any]:
    return {"REMOTE_ADDR": address, "HTTP_AUTHORIZATION": credentials}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> LoginLimit:
    return LoginLimit(attempts=4, window=60.0, clock=clock)


def fails(limit: LoginLimit, environ: dict[str, Any], times: int = 1, error: Unauthorized = WRONG) -> int:
    """Fail to log in as often as that is let; return how often it was."""
    for number in range(times):
        try:
            limit.check(environ)
        except TooManyRequests:
            return number
        limit.failed(environ, error)
    return times


def is_stopped(limit: LoginLimit, address: str) -> bool:
    try:
        limit.check(of(address))
    except TooManyRequests:
        return True
    return False


def retry_after(limit: LoginLimit, environ: dict[str, Any]) -> int:
    with pytest.raises(TooManyRequests) as raised:
        limit.check(environ)
    assert f"try again in {raised.value.headers['Retry-After']} s" in str(raised.value.detail)
    return int(raised.value.headers["Retry-After"])


def test_so_many_may_fail_and_then_one_at_a_time(limit: LoginLimit, clock: Clock) -> None:
    assert fails(limit, of("1.1.1.1"), 100) == 4
    assert retry_after(limit, of("1.1.1.1")) == 15
    clock.now += 15
    assert fails(limit, of("1.1.1.1"), 100) == 1
    clock.now += 60
    assert fails(limit, of("1.1.1.1"), 100) == 4


def test_only_those_at_that_address_with_credentials_are_stopped(limit: LoginLimit) -> None:
    fails(limit, of("1.1.1.1"), 100)
    limit.check(of("1.1.1.2"))
    limit.check({"REMOTE_ADDR": "1.1.1.1"})
    assert retry_after(limit, of("1.1.1.1", basic("alice", "right")))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:0::1", "2001:db8:0:1::1", False),
        ("::ffff:1.1.1.1", "1.1.1.1", True),
        ("::ffff:1.1.1.1", "::ffff:1.1.1.2", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_a_network_that_one_client_can_have_to_itself_is_one(
    limit: LoginLimit, one: str, other: str, same: bool
) -> None:
    fails(limit, of(one), 100)
    assert (fails(limit, of(other)) == 0) == same


@pytest.mark.parametrize("address", ["", "unix:", "/run/registry.sock"])
def test_clients_without_an_address_are_not_limited_together(limit: LoginLimit, address: str) -> None:
    assert fails(limit, of(address), 100) == 100


@pytest.mark.parametrize(
    ("credentials", "error"),
    [
        ("Bearer x", bearer_challenge("https://auth", "S", (), "invalid_token")),
        ("Bearer x", bearer_challenge("https://auth", "S", (), "insufficient_scope")),
        (basic("", ""), WRONG),
        ("", WRONG),
    ],
)
def test_a_token_that_is_out_of_date_and_no_credentials_are_no_guesses(
    limit: LoginLimit, credentials: str, error: Unauthorized
) -> None:
    assert fails(limit, of("1.1.1.1", credentials), 100, error) == 100


def test_what_is_kept_is_bounded_and_forgotten(
    limit: LoginLimit, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "_BUCKETS", 1)
    addresses = [f"10.0.0.{number}" for number in range(20)]
    for address in addresses:
        fails(limit, of(address), 100)
        clock.now += 0.25
    assert [is_stopped(limit, address) for address in addresses] == [False] * 12 + [True] * 8
    clock.now += 60
    assert not any(is_stopped(limit, address) for address in addresses)


# ── several processes ─────────────────────────────────────────────────────────────────────────


def test_who_shares_a_file_counts_together(tmp_path: Path, clock: Clock) -> None:
    one, other = (LoginLimit(attempts=4, window=60.0, file=str(tmp_path / "logins"), clock=clock) for _ in range(2))
    assert fails(one, of("1.1.1.1"), 3) == 3
    assert fails(other, of("1.1.1.1"), 100) == 1
    assert retry_after(one, of("1.1.1.1")) == 15
    assert fails(one, of("1.1.1.2"), 1) == 1


def test_processes_lose_no_count(tmp_path: Path) -> None:
    file = str(tmp_path / "logins")
    program = f"""
from registry_wsgi.middleware.failures import Failures
failures = Failures({file!r})
for number in range(500):
    failures.add("1.1.1.1", 0.0, 1.0)
    failures.add(f"{{number}}", 0.0, 1.0)
"""
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(4)]
    assert [process.wait(timeout=120) for process in running] == [0] * 4
    counted = failures.Failures(file)
    assert counted.forgotten_at("1.1.1.1") == 2000.0
    assert {counted.forgotten_at(str(number)) for number in range(500)} == {4.0}


@pytest.mark.parametrize("content", [b"", b"of something else", b"\xff" * failures._SIZE])
def test_a_file_of_another_boot_or_of_something_else_is_begun_anew(
    tmp_path: Path, clock: Clock, content: bytes
) -> None:
    file = tmp_path / "logins"
    file.write_bytes(content)
    limit = LoginLimit(attempts=4, window=60.0, file=str(file), clock=clock)
    limit.check(of("1.1.1.1"))
    assert fails(limit, of("1.1.1.1"), 100) == 4


def test_a_file_that_cannot_be_opened_does_not_start(auth: dict[str, Any]) -> None:
    message = r"^http\.loginlimit\.file: cannot open /dev/null/x: Not a directory$"
    with pytest.raises(ConfigurationError, match=message):
        application(auth, loginlimit={"file": "/dev/null/x"})


def test_where_the_system_hides_the_servers_memory_a_worker_counts_by_itself(clock: Clock) -> None:
    limit = LoginLimit(attempts=4, window=60.0, file="/proc/0/fd/3", clock=clock)
    assert fails(limit, of("1.1.1.1"), 100) == 4


def test_the_workers_of_a_server_count_together(auth: dict[str, Any], serve: Serve) -> None:
    sections = {"auth": auth, "http": {"loginlimit": {"attempts": 5, "window": "1h"}}}
    client = Client(serve(sections=sections, arguments=["--workers", "3"]).url)
    header = {"Authorization": basic("alice", "wrong")}
    statuses = [client.request("GET", "/v2/", headers=header).status for _ in range(30)]
    assert statuses == [401] * 5 + [429] * 25


# ── in the stack ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def auth(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "htpasswd"
    path.write_text(f"alice:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    return {"htpasswd": {"realm": "R", "path": str(path)}}


def application(auth: dict[str, Any], **http: Any) -> WSGIApplication:
    return build(load({"storage": storages.new_section(), "auth": auth, "http": http}))


def test_ten_thousand_guesses_are_answered_and_hardly_any_of_them_is_hashed(
    auth: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[bytes] = []
    checkpw = bcrypt.checkpw
    monkeypatch.setattr(htpasswd.bcrypt, "checkpw", lambda *each: hashed.append(each[0]) or checkpw(*each))
    app, statuses = application(auth, loginlimit={"window": "1h"}), dict.fromkeys(("401", "429"), 0)

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        statuses[status[:3]] += 1
        assert status[:3] == "401" or int(dict(headers)["Retry-After"]) > 0

    request = {**TestApp(app).RequestClass.blank("/v2/").environ, "REMOTE_ADDR": "203.0.113.7"}
    for number in range(10_000):
        app({**request, "HTTP_AUTHORIZATION": basic("alice", f"guess {number}")}, start_response)  # type: ignore[arg-type]
    assert statuses == {"401": 20, "429": 9_980}
    assert len(hashed) == 20


def test_a_right_password_is_no_use_to_whom_guessed_too_often(auth: dict[str, Any]) -> None:
    app = TestApp(application(auth, loginlimit={"attempts": 2, "window": "1h"}))
    app.extra_environ = of("203.0.113.7")
    for status in (401, 401, 429):
        answer = app.get("/v2/", status=status)
    assert answer.json["errors"][0]["code"] == "TOOMANYREQUESTS"
    app.extra_environ = of("203.0.113.7", basic("alice", "secret"))
    assert 0 < int(app.get("/v2/", status=429).headers["Retry-After"]) <= 1800
    app.extra_environ = of("203.0.113.8", basic("alice", "secret"))
    app.get("/v2/", status=200)
    app.extra_environ = {"REMOTE_ADDR": "203.0.113.7"}
    app.get("/v2/", status=401)


def test_behind_a_trusted_proxy_the_address_is_the_clients(auth: dict[str, Any]) -> None:
    def ask(app: TestApp, client: str) -> int:
        app.extra_environ = of("127.0.0.1")
        return int(app.get("/v2/", headers={"X-Forwarded-For": client}, expect_errors=True).status_int)

    trusting = TestApp(application(auth, loginlimit={"attempts": 1, "window": "1h"}, trustproxyheaders=True))
    assert [ask(trusting, client) for client in ("1.1.1.1", "1.1.1.1", "1.1.1.2")] == [401, 429, 401]
    other = TestApp(application(auth, loginlimit={"attempts": 1, "window": "1h"}))
    assert [ask(other, client) for client in ("1.1.1.1", "1.1.1.2")] == [401, 429]


def test_without_attempts_there_is_no_limit(auth: dict[str, Any]) -> None:
    app = TestApp(application(auth, loginlimit={"attempts": 0}))
    app.extra_environ = of("203.0.113.7")
    for _ in range(30):
        app.get("/v2/", status=401)


@pytest.mark.parametrize("form", [False, True])
def test_where_tokens_are_issued_it_is_the_same(auth: dict[str, Any], tmp_path: Path, form: bool) -> None:
    issuer = {"service": "S", "keys": str(tmp_path / "keys"), "users": auth}
    app = TestApp(application({"issuer": issuer}, loginlimit={"attempts": 2, "window": "1h"}))
    password = {"grant_type": "password", "username": "alice", "password": "wrong"}
    for status in (401, 401, 429):
        if form:
            app.extra_environ = {"REMOTE_ADDR": "203.0.113.7"}
            app.post("/auth/token", password, status=status)
        else:
            app.extra_environ = of("203.0.113.7")
            app.get("/auth/token", status=status)


def test_a_limit_without_a_time_does_not_start() -> None:
    with pytest.raises(ConfigurationError, match=r"http\.loginlimit\.window: must be more than 0"):
        load({"storage": "inmemory", "http": {"loginlimit": {"window": "0s"}}})
