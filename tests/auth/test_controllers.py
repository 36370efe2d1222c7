"""The controllers silly, htpasswd and callable."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

import bcrypt
import pytest

from registry_wsgi.auth import htpasswd
from registry_wsgi.auth.function import CallableController
from registry_wsgi.auth.htpasswd import HtpasswdController
from registry_wsgi.auth.silly import SillyController
from registry_wsgi.context import Context
from registry_wsgi.errors import ConfigurationError, Unauthorized
from registry_wsgi.interfaces import Access, Grant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CTX = Context()
ACCESS = (Access("repository", "a/b", "pull"), Access("repository", "a/b", "push"), Access("repository", "c", "pull"))


def basic(user: str, password: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def line(user: str, password: str, cost: int = 4) -> str:
    return f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()}\n"


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "htpasswd"
    path.write_text("# comment\n\n" + line("alice", "secret") + "old:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n")
    return path


@pytest.fixture
def controller(users: Path) -> HtpasswdController:
    return HtpasswdController(realm='the "realm"', path=str(users))


def test_silly_takes_any_header_and_asks_for_one() -> None:
    controller = SillyController(realm="R", service="S")
    with pytest.raises(Unauthorized) as raised:
        controller.authorize(CTX, {}, ACCESS)
    scope = "repository:a/b:pull repository:a/b:push repository:c:pull"
    assert raised.value.headers["WWW-Authenticate"] == f'Bearer realm="R",service="S",scope="{scope}"'
    grant = controller.authorize(CTX, {"HTTP_AUTHORIZATION": "anything"}, ACCESS)
    assert grant.user == "silly"
    assert grant.may(ACCESS[0])


def test_a_user_of_the_file_may_everything(controller: HtpasswdController) -> None:
    grant = controller.authorize(CTX, basic("alice", "secret"), ACCESS)
    assert grant.user == "alice"
    assert grant.may(Access("registry", "catalog", "*"))


@pytest.mark.parametrize(
    "environ",
    [
        {},
        basic("alice", "wrong"),
        basic("alice", ""),
        basic("bob", "secret"),
        basic("", ""),
        basic("old", "password"),
        basic("alice", "secret" + "x" * 100),
        basic("alice\0", "secret"),
        {"HTTP_AUTHORIZATION": "Basic"},
        {"HTTP_AUTHORIZATION": "Basic !!!"},
        {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(b"alice").decode()},
        {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(b"alice:\xff").decode()},
        {"HTTP_AUTHORIZATION": "Bearer token"},
    ],
)
def test_anyone_else_is_asked_for_credentials(environ: dict[str, str], controller: HtpasswdController) -> None:
    with pytest.raises(Unauthorized) as raised:
        controller.authorize(CTX, environ, ACCESS)
    assert raised.value.headers["WWW-Authenticate"] == r'Basic realm="the \"realm\""'
    assert raised.value.detail == [
        {"Type": "repository", "Class": "", "Name": "a/b", "Action": "pull"},
        {"Type": "repository", "Class": "", "Name": "a/b", "Action": "push"},
        {"Type": "repository", "Class": "", "Name": "c", "Action": "pull"},
    ]


def test_a_password_longer_than_bcrypt_looks_at_is_refused(users: Path) -> None:
    users.write_text(line("alice", "x" * 72))
    controller = HtpasswdController(realm="R", path=str(users))
    assert controller.authorize(CTX, basic("alice", "x" * 72), ()).user == "alice"
    with pytest.raises(Unauthorized):
        controller.authorize(CTX, basic("alice", "x" * 73), ())


def test_every_wrong_login_costs_one_comparison(
    controller: HtpasswdController, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs: list[int] = []
    checkpw: Callable[[bytes, bytes], bool] = bcrypt.checkpw

    def counted(password: bytes, hashed: bytes) -> bool:
        costs.append(int(hashed[4:6]))
        return checkpw(password, hashed)

    monkeypatch.setattr(htpasswd.bcrypt, "checkpw", counted)
    for environ in (basic("alice", "wrong"), basic("bob", "x"), basic("old", "x"), basic("alice", "x" * 100)):
        with pytest.raises(Unauthorized):
            controller.authorize(CTX, environ, ())
    assert costs == [4, 4, 4, 4]


def test_what_was_right_is_not_compared_again_until_the_file_changes(
    users: Path, controller: HtpasswdController, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller.authorize(CTX, basic("alice", "secret"), ())

    def never(password: bytes, hashed: bytes) -> bool:
        raise AssertionError("compared again")

    with monkeypatch.context() as patched:
        patched.setattr(htpasswd.bcrypt, "checkpw", never)
        controller.authorize(CTX, basic("alice", "secret"), ())
    users.write_text(line("alice", "other"))
    with pytest.raises(Unauthorized):
        controller.authorize(CTX, basic("alice", "secret"), ())
    assert controller.authorize(CTX, basic("alice", "other"), ()).user == "alice"


def test_no_password_is_kept_in_memory(controller: HtpasswdController) -> None:
    controller.authorize(CTX, basic("alice", "secret"), ())
    ((key, (grant, _)),) = controller._users.current(CTX).remembered._values.items()
    assert len(key) == 16
    assert "secret" not in repr(grant)


def test_a_file_that_is_gone_for_a_moment_locks_nobody_out(users: Path, controller: HtpasswdController) -> None:
    os.rename(users, f"{users}.away")
    assert controller.authorize(CTX, basic("alice", "secret"), ()).user == "alice"


@pytest.mark.parametrize("content", [None, b"no colon\n", b"\xff\xfe:x\n"])
def test_a_file_that_is_none_does_not_start(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="path: "):
        HtpasswdController(realm="R", path=str(path))


def decide(environ: object, access: tuple[Access, ...]) -> Grant:
    return Grant("host", lambda _: False)


@pytest.mark.parametrize("function", [decide, f"{__name__}:decide"])
def test_a_function_of_the_host_decides(function: object) -> None:
    if isinstance(function, str):
        pytest.importorskip("tests.auth.test_controllers")
        function = "tests.auth.test_controllers:decide"
    assert CallableController(function=function).authorize(CTX, {}, ACCESS).user == "host"  # type: ignore[arg-type]


@pytest.mark.parametrize("returned", [None, True, "ann"])
def test_a_function_that_returns_no_grant_lets_nobody_in_and_is_told_what_to_return(returned: object) -> None:
    controller = CallableController(function=lambda *_: returned)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=f"must return a Grant, or raise Unauthorized or Denied; not {returned!r}"):
        controller.authorize(CTX, {}, ())


@pytest.mark.parametrize("function", ["decide", "no.such.module:x", "os:no_such_name", "os:name"])
def test_a_function_that_is_none_does_not_start(function: str) -> None:
    with pytest.raises(ConfigurationError, match="function"):
        CallableController(function=function)
