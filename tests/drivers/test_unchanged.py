"""When the filesystem driver knows without reading that a small file holds what it held."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.drivers import unchanged
from registry_wsgi.drivers.unchanged import Holds, local_devices

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTENT, OTHER = b"sha256:" + b"a" * 64, b"sha256:" + b"b" * 64
GRAIN_SECONDS = 0.02
"""More than the grain of a file's time, which is that of the kernel's ticks."""


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    taken: list[str] = []
    real = os.read
    monkeypatch.setattr(os, "read", lambda file, size: (taken.append("read"), real(file, size))[1])
    return taken


@pytest.fixture
def link(tmp_path: Path) -> Path:
    path = tmp_path / "link"
    path.write_bytes(CONTENT)
    return path


def asked(link: Path, monkeypatch: pytest.MonkeyPatch) -> Holds:
    """Return a probe that has read the file when that was not racy any more, with a margin made short for a test."""
    monkeypatch.setattr(unchanged, "MARGIN_NS", 0)
    time.sleep(GRAIN_SECONDS)
    holds = Holds(os.fsencode(link), CONTENT, frozenset({os.stat(link).st_dev}))
    assert holds()
    return holds


def test_a_file_is_read_once_until_it_changes(link: Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]) -> None:
    holds = asked(link, monkeypatch)
    assert holds()
    assert reads == ["read"]


def written_in_place(link: Path) -> None:
    link.write_bytes(OTHER)  # as registry:2 does


def replaced(link: Path) -> None:
    (link.parent / "new").write_bytes(OTHER)
    os.replace(link.parent / "new", link)


def replaced_by_an_old_one(link: Path) -> None:
    replaced(link)
    os.utime(link, ns=(0, 0))


def removed(link: Path) -> None:
    link.unlink()


@pytest.mark.parametrize("change", [written_in_place, replaced, replaced_by_an_old_one, removed])
def test_every_change_is_seen(link: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]) -> None:
    holds = asked(link, monkeypatch)
    time.sleep(GRAIN_SECONDS)
    change(link)
    assert not holds()
    link.write_bytes(CONTENT)
    assert holds()


def test_a_file_that_has_just_changed_is_read_each_time(link: Path, reads: list[str]) -> None:
    holds = Holds(os.fsencode(link), CONTENT, frozenset({os.stat(link).st_dev}))
    assert [holds(), holds()] == [True, True]
    assert reads == ["read", "read"]
    link.write_bytes(OTHER)
    assert not holds()


def test_a_file_of_another_machine_is_read_each_time(
    link: Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    monkeypatch.setattr(unchanged, "MARGIN_NS", 0)
    time.sleep(GRAIN_SECONDS)
    holds = Holds(os.fsencode(link), CONTENT, frozenset())
    assert [holds(), holds()] == [True, True]
    assert reads == ["read", "read"]


def test_only_file_systems_of_this_machine_are_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 27 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "23 27 0:44 / /mnt/nfs rw - nfs4 server:/ rw\n"
        "24 27 0:45 / /with\\040space rw - tmpfs tmpfs rw\n"
    )
    monkeypatch.setattr(unchanged, "_MOUNTS", str(mounts))
    assert local_devices() == {os.makedev(8, 1), os.makedev(0, 45)}
    monkeypatch.setattr(unchanged, "_MOUNTS", str(tmp_path / "absent"))
    assert local_devices() == frozenset()
