"""When the filesystem driver knows without reading that a small file holds what it held."""

from __future__ import annotations

import errno
import os
import resource
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.drivers import unchanged
from registry_wsgi.drivers.unchanged import Holds, LocalFiles, local_files

if TYPE_CHECKING:
    from collections.abc import Callable

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


def local(path: Path, *, kept: int = 0) -> LocalFiles:
    device = frozenset({os.stat(path).st_dev})
    return LocalFiles(device, device, kept)


def asked(link: Path, monkeypatch: pytest.MonkeyPatch, files: LocalFiles | None = None) -> Holds:
    """Return a probe that has read the file when that was not racy any more, with a margin made short for a test."""
    monkeypatch.setattr(unchanged, "MARGIN_NS", 0)
    time.sleep(GRAIN_SECONDS)
    holds = Holds(os.fsencode(link), CONTENT, files or local(link))
    assert holds()
    return holds


def kept_open(link: Path, monkeypatch: pytest.MonkeyPatch, files: LocalFiles | None = None) -> Holds:
    """Return a probe that was asked often enough to keep the file open."""
    holds = asked(link, monkeypatch, files or local(link, kept=16))
    assert [holds(), holds()] == [True, True]
    return holds


def open_files(directory: Path) -> list[str]:
    """Return which files in `directory` this process has open, by their names."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return sorted(Path(each).name for each in found if each.startswith(f"{directory}/"))


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


def renamed(link: Path) -> None:
    link.rename(link.parent / "elsewhere")


def removed_where_another_name_is_left(link: Path) -> None:
    os.link(link, link.parent / "another")
    link.unlink()


CHANGES = [
    written_in_place,
    replaced,
    replaced_by_an_old_one,
    removed,
    renamed,
    removed_where_another_name_is_left,
]


@pytest.mark.parametrize("probe", [asked, kept_open])
@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_seen(
    link: Path,
    monkeypatch: pytest.MonkeyPatch,
    probe: Callable[[Path, pytest.MonkeyPatch], Holds],
    change: Callable[[Path], None],
) -> None:
    holds = probe(link, monkeypatch)
    time.sleep(GRAIN_SECONDS)
    change(link)
    assert not holds()
    link.write_bytes(CONTENT)
    assert holds()


def test_a_file_that_is_asked_about_often_is_kept_open(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holds = asked(link, monkeypatch, local(link, kept=16))
    assert open_files(link.parent) == []
    assert [holds(), holds()] == [True, True]
    assert open_files(link.parent) == ["link"]
    monkeypatch.setattr(os, "stat", None)
    assert holds()


def test_a_file_that_is_asked_about_seldom_is_not(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "_LOOK_SECONDS", 0.0)
    holds = asked(link, monkeypatch, local(link, kept=16))
    assert [holds(), holds(), holds()] == [True, True, True]
    assert open_files(link.parent) == []


def test_a_file_that_was_deleted_is_not_held_longer_than_it_is_asked_about(
    link: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds = kept_open(link, monkeypatch)
    link.unlink()
    assert not holds()
    assert open_files(link.parent) == []


def test_a_file_that_somebody_closed_is_opened_anew(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As what makes a daemon of a process does with all that is open."""
    holds = kept_open(link, monkeypatch)
    closed = [each for each in os.listdir("/proc/self/fd") if leads_to(each, link)]
    os.close(int(closed[0]))
    assert [holds(), holds(), holds()] == [True, True, True]


def leads_to(descriptor: str, path: Path) -> bool:
    with suppress(OSError):
        return os.readlink(f"/proc/self/fd/{descriptor}") == str(path)
    return False


def test_a_directory_that_was_renamed_is_missed_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tag").mkdir()
    link = tmp_path / "tag" / "link"
    link.write_bytes(CONTENT)
    holds = kept_open(link, monkeypatch)
    (tmp_path / "tag").rename(tmp_path / "elsewhere")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1)
    assert not holds()
    (tmp_path / "elsewhere").rename(tmp_path / "tag")
    assert holds()


def test_of_many_files_those_that_were_kept_first_are_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = local(tmp_path, kept=2)
    probes = []
    for number in range(5):
        link = tmp_path / f"link{number}"
        link.write_bytes(CONTENT)
        probes.append(kept_open(link, monkeypatch, files))
    assert open_files(tmp_path) == ["link3", "link4"]
    assert [holds() for holds in probes] == [True] * 5


def test_where_no_more_files_can_be_opened_none_is_kept(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holds = asked(link, monkeypatch, local(link, kept=16))

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert [holds(), holds()] == [True, True]
    assert open_files(link.parent) == []


def test_a_file_that_has_just_changed_is_read_each_time(link: Path, reads: list[str]) -> None:
    holds = Holds(os.fsencode(link), CONTENT, local(link))
    assert [holds(), holds()] == [True, True]
    assert reads == ["read", "read"]
    link.write_bytes(OTHER)
    assert not holds()


def test_a_file_of_another_machine_is_read_each_time(
    link: Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    monkeypatch.setattr(unchanged, "MARGIN_NS", 0)
    time.sleep(GRAIN_SECONDS)
    holds = Holds(os.fsencode(link), CONTENT, LocalFiles(frozenset(), frozenset(), 16))
    assert [holds(), holds()] == [True, True]
    assert reads == ["read", "read"]


def test_only_file_systems_of_this_machine_are_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 27 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "23 27 0:44 / /mnt/nfs rw - nfs4 server:/ rw\n"
        "24 27 0:45 / /with\\040space rw - tmpfs tmpfs rw\n"
        "25 27 0:46 / /merged rw - overlay overlay rw\n"
    )
    monkeypatch.setattr(unchanged, "_MOUNTS", str(mounts))
    found = local_files()
    assert found.local == {os.makedev(8, 1), os.makedev(0, 45), os.makedev(0, 46)}
    assert found.telling == {os.makedev(8, 1), os.makedev(0, 45)}
    monkeypatch.setattr(unchanged, "_MOUNTS", str(tmp_path / "absent"))
    assert local_files().local == frozenset()


def test_an_eighth_of_the_files_that_may_be_open_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for allowed, kept in ((1024, 128), (1_000_000, 1024), (resource.RLIM_INFINITY, 1024), (7, 0)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, allowed=allowed: (allowed, allowed))
        assert local_files().most == kept
