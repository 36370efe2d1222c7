"""`check` and `show-stack` look at a configuration and write nothing; `check` says what could not be written."""

from __future__ import annotations

import json
import os
import sysconfig
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from registry_wsgi import writable
from registry_wsgi.cli import main
from registry_wsgi.inspection import preflight

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOBODY = 65534
PACKAGES = sysconfig.get_path("purelib")


def everything_below(place: Path) -> dict[str, Any]:
    """Return a configuration of all that keeps something in files, each in a place of its own."""
    endpoints = [{"name": "one", "url": "http://127.0.0.1:1/"}, {"name": "two", "url": "http://127.0.0.1:1/"}]
    users = {"silly": {"realm": "r", "service": "s"}}
    return {
        "version": 0.1,
        "log": {"audit": str(place / "audit.log")},
        "storage": {"filesystem": {"rootdirectory": str(place / "data")}, "cache": {"blobdescriptor": "inmemory"}},
        "http": {
            "addr": "127.0.0.1:0",
            "loginlimit": {"file": str(place / "logins")},
            "debug": {"prometheus": {"enabled": True, "mainport": True}},
        },
        "auth": {"issuer": {"service": "s", "keys": str(place / "keys"), "users": users}},
        "notifications": {"endpoints": endpoints, "outbox": {"path": str(place / "outbox")}},
        "health": {"storagedriver": {"enabled": True}, "file": [{"file": str(place / "down")}]},
        "compatibility": {"schema1": {"enabled": True}},
    }


@pytest.mark.parametrize("verb", ["check", "show-stack"])
def test_nothing_is_written(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGISTRY_CONFIGURATION_PATH", raising=False)
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    config = tmp_path / "config.yml"
    config.write_text(json.dumps(everything_below(place)))
    result = CliRunner().invoke(main, [verb, str(config)])
    assert result.exit_code == 0, result.output
    assert list(place.rglob("*")) == []


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Be nobody, if this is root, who may write everywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


KEYS = [
    "log.audit",
    "notifications.outbox",
    "auth.issuer",
    "http.loginlimit.file",
    "storage.filesystem.rootdirectory",
]


def test_what_this_user_may_not_write_is_known_without_writing(tmp_path: Path) -> None:
    place, file = tmp_path / "place", tmp_path / "file"
    place.mkdir(mode=0o500)
    file.touch(mode=0o400)
    for check, path in [(writable.check_directory, place / "new" / "er"), (writable.check_file, file)]:
        with as_ordinary_user(), pytest.raises(OSError, match=r"Permission denied|No such file"):
            check(path)
    for check, path in [(writable.check_directory, file / "below"), (writable.check_file, tmp_path)]:
        with pytest.raises(OSError, match=r"Not a directory|Is a directory"):
            check(path)
    writable.check_directory(tmp_path / "new" / "er")
    writable.check_file(tmp_path / "new")
    assert sorted(tmp_path.iterdir()) == [file, place]


def test_what_may_not_be_written_is_told_and_what_need_not_be_is_not(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o500)
    document = everything_below(place)
    preflight.inspect(document)  # imports what it needs
    with as_ordinary_user():
        if not os.access(PACKAGES, os.R_OK | os.X_OK, effective_ids=True):
            pytest.skip("nobody may look for plugins where this is installed")
        problems, _ = preflight.inspect(document)
        document["storage"] |= {"maintenance": {"readonly": {"enabled": True}}}
        of_a_mirror, _ = preflight.inspect(document)
    assert sorted(problem.partition(": ")[0] for problem in problems) == sorted(KEYS)
    assert all("Permission denied" in problem for problem in problems)
    assert sorted(problem.partition(": ")[0] for problem in of_a_mirror) == sorted(KEYS[:-1])


def test_what_cannot_be_written_below_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    problems, _ = preflight.inspect(everything_below(tmp_path / "file"))
    assert sorted(problem.partition(": ")[0] for problem in problems) == sorted([*KEYS[:-1], "storage.filesystem"])
