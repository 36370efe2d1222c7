"""`registry-wsgi self-test` against registries without a proxy; behind nginx it is tested with the example."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bcrypt
import pytest
from click.testing import CliRunner

from registry_wsgi.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.conftest import Serve


def self_test(*arguments: str, password: str = "") -> Result:
    return CliRunner().invoke(main, ["self-test", *arguments], env={"REGISTRY_PASSWORD": password})


def said(result: Result) -> list[str]:
    return [line.strip() for line in result.output.splitlines() if ": " in line]


@pytest.mark.parametrize("kind", ["granian", "gthread", "docker-registry"])
def test_nothing_is_wrong_with_a_registry_that_is_asked_directly(serve: Serve, kind: str) -> None:
    result = self_test(serve(kind=kind).url)
    assert result.exit_code == 0, result.output
    expected = {
        "granian": [],
        "gthread": ["a header of 12288 bytes"],  # gunicorn's default is 8190
        "docker-registry": ["lists come without Link"],
    }[kind]
    assert [note for note in said(result) if not any(each in note for each in expected)] == [], result.output


def test_a_server_that_waits_for_the_whole_body_is_told(serve: Serve) -> None:
    result = self_test(serve(kind="waitress").url)
    assert result.exit_code == 1
    assert "your proxy buffers request bodies, or the server does" in result.output


def test_a_server_without_chunked_bodies_is_told(serve: Serve) -> None:
    result = self_test(serve(kind="wsgiref").url)
    assert result.exit_code == 1
    assert "chunked bodies, which docker sends, do not get through" in result.output


@pytest.fixture
def users(tmp_path: Path) -> dict[str, object]:
    path = tmp_path / "htpasswd"
    path.write_text(f"ann:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    return {"htpasswd": {"realm": "R", "path": str(path)}}


def test_it_logs_in_with_a_password(serve: Serve, users: dict[str, object]) -> None:
    url = serve(sections={"auth": users}).url
    assert self_test(url, "-u", "ann", password="secret").exit_code == 0
    for login in (("-u", "ann", "-p", "wrong"), ()):
        result = self_test(url, *login)
        assert result.exit_code == 1
        assert "GET /v2/ is answered 401: the credentials do not do, or none were given" in result.output


def test_it_logs_in_with_tokens(serve: Serve, users: dict[str, object], tmp_path: Path) -> None:
    issuer = {"issuer": {"issuer": "us", "service": "here", "keys": str(tmp_path / "keys"), "users": users}}
    result = self_test(serve(sections={"auth": issuer}).url, "-u", "ann", password="secret")
    assert (result.exit_code, said(result)) == (0, []), result.output


def test_it_may_be_told_where_to_push(serve: Serve) -> None:
    url = serve(sections={"storage": {"delete": {"enabled": False}}}).url
    result = self_test(url, "--repository", "some/where")
    assert result.exit_code == 0
    assert said(result) == ["note: deletion is off (storage.delete.enabled), so the image stays in some/where"]


def test_where_nothing_listens_is_told(free_port: int) -> None:
    result = self_test(f"127.0.0.1:{free_port}")
    assert (result.exit_code, said(result)) == (1, [f"problem: nothing listens at http://127.0.0.1:{free_port}"])


def test_a_registry_without_tls_is_told(serve: Serve) -> None:
    result = self_test(serve().url.replace("http", "https"))
    assert result.exit_code == 1
    assert "does not speak TLS" in result.output


@pytest.mark.parametrize("url", ["ftp://host", "http://", "http://host/?x=1"])
def test_what_is_no_url_is_refused(url: str) -> None:
    result = self_test(url)
    assert result.exit_code == 2
    assert "is no URL of a registry; allowed: such as https://registry.example.org" in result.output
