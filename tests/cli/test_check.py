"""`registry-wsgi check`: every problem at once, in the words that a start would use for the first of them."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from registry_wsgi.cli import main

if TYPE_CHECKING:
    from pathlib import Path

SOUND = {"version": 0.1, "storage": "inmemory", "http": {"addr": "127.0.0.1:0"}}


@pytest.fixture(autouse=True)
def environment_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGISTRY_CONFIGURATION_PATH", raising=False)


def check(directory: Path, document: object, *arguments: str) -> tuple[int, list[str]]:
    """Return the exit status and what is said of a document: text, or what becomes the file as JSON."""
    config = directory / "config.yml"
    config.write_text(document if isinstance(document, str) else json.dumps(document))
    result = CliRunner().invoke(main, ["check", *arguments, str(config)])
    return result.exit_code, result.output.splitlines()


def test_a_sound_configuration_has_no_problems(tmp_path: Path) -> None:
    assert check(tmp_path, SOUND) == (0, ["no problems"])


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    status, lines = check(
        tmp_path,
        {
            "version": 0.1,
            "log": {"level": "loud", "colour": 1, "hooks": [{"type": "mail"}]},
            "storage": {"filesystem": {"rootdirectory": "/dev/null/x"}, "cache": {"blobdescriptor": "absent"}},
            "http": {"net": "unix", "tls": {"certificate": "/absent.pem"}},
            "auth": {"htpasswd": {"realm": "r", "path": "/absent"}},
            "middleware": {"http": [{"nme": "x"}, {"name": "absent"}], "storage": 5},
            "compatibility": {"schema1": {"enabled": True, "signingkeyfile": "/absent"}},
            "validation": {"manifests": {"urls": {"allow": ["("]}}},
        },
    )
    assert status == 2
    assert sorted(line.partition(": ")[0] for line in lines) == [
        "auth.htpasswd",
        "compatibility.schema1.signingkeyfile",
        "http.addr",
        "http.tls.key",
        "log.colour",
        "log.hooks[0].levels",
        "log.level",
        "middleware.http[0].name",
        "middleware.http[0].nme",
        "middleware.http[1]",
        "middleware.storage",
        "storage.cache.blobdescriptor",
        "storage.filesystem",
        "validation.manifests.urls.allow",
    ]


@pytest.mark.parametrize(
    ("section", "lines"),
    [
        ({"storage": {"filesystem": {"rootdirectory": 5}}}, 1),  # and not that a directory is required as well
        ({"storage": {"inmemory": {}, "filesystem": {}}}, 1),
        ({"storage": {"cache": {"blobdescriptor": "redis"}}}, 2),  # there is no driver either
        ({"http": {"tls": {"certificate": 5, "key": "/k"}}}, 1),
        ({"http": {"tls": {"clientcas": ["/a", "/b"]}}}, 1),
        ({"http": 5}, 1),
        ({"auth": {"silly": {}, "htpasswd": {}}}, 1),
        ({"version": 5}, 1),
    ],
    ids=str,
)
def test_what_only_follows_from_a_problem_is_none(tmp_path: Path, section: dict[str, Any], lines: int) -> None:
    assert len(check(tmp_path, SOUND | section, "--running")[1]) == lines


def test_files_of_a_certificate_and_a_port_that_is_taken_are_looked_at(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        document = SOUND | {"http": {"addr": host, "tls": {"certificate": "/absent", "key": "/absent"}}}
        certificate = "http.tls.certificate: cannot read '/absent': No such file or directory"
        port = f"http.addr: cannot listen on {host}: Address already in use"
        assert check(tmp_path, document) == (2, [certificate, port])
        assert check(tmp_path, document, "--running") == (2, [certificate])


def test_everything_wrong_in_the_section_of_a_plugin_is_said(tmp_path: Path) -> None:
    policy = {"users": {"htpasswd": {"raelm": "r", "path": 5}}, "ruls": []}
    status, lines = check(tmp_path, SOUND | {"auth": {"policy": policy}}, "--running")
    assert (status, [line.partition(";")[0] for line in lines]) == (
        2,
        [
            "auth.policy.ruls: unknown key",
            "auth.policy.users.htpasswd.raelm: unknown key",
            "auth.policy.users.htpasswd.path: must be text, not 5",
            "auth.policy.users.htpasswd.realm: required, but not given",
        ],
    )


@pytest.mark.parametrize(
    ("controller", "parameters"),
    [
        ("htpasswd", {"realm": "r", "path": "/absent/file"}),
        ("token", {"realm": "https://a.example", "service": "s", "issuer": "i", "rootcertbundle": "/absent/file"}),
        ("token", {"realm": "https://a.example", "service": "s", "issuer": "i", "jwks": "/absent/file"}),
        ("policy", {"users": {"silly": {"realm": "r", "service": "s"}}, "file": "/absent/file"}),
    ],
)
def test_a_file_that_a_section_names_and_that_is_not_there_is_named_once(
    controller: str, parameters: dict[str, Any], tmp_path: Path
) -> None:
    _, lines = check(tmp_path, SOUND | {"auth": {controller: parameters}})
    (line,) = lines
    assert line.count("/absent/file") == 1
    assert line.endswith("No such file or directory")
    assert "Errno" not in line


def test_variables_are_a_part_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_HTTP_ADDR", "nowhere")
    monkeypatch.setenv("REGISTRY_LOG", "{")
    monkeypatch.setenv("REGISTRY_STORAGE_DELETE_ENABLED", "ja")
    status, lines = check(tmp_path, SOUND)
    assert status == 2
    assert [line.partition(": ")[0] for line in lines] == [
        "REGISTRY_LOG, line 1",
        "storage.delete.enabled",
        "http.addr",
    ]


def test_a_warning_is_no_problem(tmp_path: Path) -> None:
    status, lines = check(tmp_path, SOUND | {"loglevel": "info"})
    assert (status, lines) == (0, ["warning: loglevel is deprecated: write log.level", "no problems"])


@pytest.mark.parametrize("document", ["storage: [", "- a list", ""])
def test_a_file_that_says_nothing_is_a_problem(tmp_path: Path, document: str) -> None:
    status, lines = check(tmp_path, document)
    assert status == 2
    assert lines


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["check", str(tmp_path / "absent.yml")])
    assert result.exit_code == 2
    assert result.output == f"cannot read the configuration {tmp_path}/absent.yml: No such file or directory\n"
