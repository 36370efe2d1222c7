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

from registry_wsgi.drivers import local, unchanged
from registry_wsgi.drivers.local import LocalFiles
from registry_wsgi.drivers.unchanged import Holds, There

if TYPE_CHECKING:
    from collections.abc import Callable

MOUNTED = local._mounted
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


@pytest.fixture(autouse=True)
def on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Say that the files of a test are on a file system of this machine, whatever they are on."""
    monkeypatch.setattr(local, "_mounted", lambda: {os.stat(tmp_path).st_dev: "ext4"})


def files_at(path: Path, *, kept: int = 0) -> LocalFiles:
    return LocalFiles(str(path.parent), kept)


def asked(link: Path, monkeypatch: pytest.MonkeyPatch, files: LocalFiles | None = None) -> Holds:
    """Return a probe that has read the file when that was not racy any more, with a margin made short for a test."""
    monkeypatch.setattr(unchanged, "MARGIN_NS", 0)
    time.sleep(GRAIN_SECONDS)
    holds = Holds(os.fsencode(link), CONTENT, files or files_at(link))
    assert holds()
    return holds


def kept_open(link: Path, monkeypatch: pytest.MonkeyPatch, files: LocalFiles | None = None) -> Holds:
    """Return a probe that was asked often enough to keep the file open."""
    holds = asked(link, monkeypatch, files or files_at(link, kept=16))
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
    holds = asked(link, monkeypatch, files_at(link, kept=16))
    assert open_files(link.parent) == []
    assert [holds(), holds()] == [True, True]
    assert open_files(link.parent) == ["link"]
    monkeypatch.setattr(os, "stat", None)
    assert holds()


def test_a_file_that_is_asked_about_seldom_is_not(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "_LOOK_SECONDS", 0.0)
    holds = asked(link, monkeypatch, files_at(link, kept=16))
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
    files = LocalFiles(str(tmp_path), 2)
    probes = []
    for number in range(5):
        link = tmp_path / f"link{number}"
        link.write_bytes(CONTENT)
        probes.append(kept_open(link, monkeypatch, files))
    assert open_files(tmp_path) == ["link3", "link4"]
    assert [holds() for holds in probes] == [True] * 5


def test_where_no_more_files_can_be_opened_none_is_kept(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holds = asked(link, monkeypatch, files_at(link, kept=16))

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert [holds(), holds()] == [True, True]
    assert open_files(link.parent) == []


def test_a_file_that_has_just_changed_is_read_each_time(link: Path, reads: list[str]) -> None:
    holds = Holds(os.fsencode(link), CONTENT, files_at(link))
    assert [holds(), holds()] == [True, True]
    assert reads == ["read", "read"]
    link.write_bytes(OTHER)
    assert not holds()


def test_a_file_of_another_machine_is_read_each_time(
    link: Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    monkeypatch.setattr(unchanged, "MARGIN_NS", 0)
    time.sleep(GRAIN_SECONDS)
    monkeypatch.setattr(local, "_mounted", lambda: {os.stat(link).st_dev: "nfs4"})
    holds = Holds(os.fsencode(link), CONTENT, files_at(link, kept=16))
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
    monkeypatch.setattr(local, "_mounted", MOUNTED)
    monkeypatch.setattr(local, "_MOUNTS", str(mounts))
    files = LocalFiles("/")
    shown = [files.show_changes(os.makedev(major, minor)) for major, minor in ((8, 1), (0, 44), (0, 45), (0, 46))]
    assert shown == [True, False, True, True]
    monkeypatch.setattr(local, "_MOUNTS", str(tmp_path / "absent"))
    assert not LocalFiles("/").show_changes(os.makedev(8, 1))


def test_an_eighth_of_the_files_that_may_be_open_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for allowed, kept in ((1024, 128), (1_000_000, 1024), (resource.RLIM_INFINITY, 1024), (7, 0)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, allowed=allowed: (allowed, allowed))
        assert LocalFiles("/").most == kept


def test_a_file_on_a_device_whose_number_was_given_to_another_is_read(
    link: Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    files = files_at(link, kept=16)
    asked(link, monkeypatch, files)
    monkeypatch.setattr(local, "_mounted", lambda: {os.stat(link).st_dev: "nfs4"})
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1)
    holds = Holds(os.fsencode(link), CONTENT, files)
    assert [holds(), holds()] == [True, True]
    assert reads == ["read"] * 3


# ── whether a file is there ───────────────────────────────────────────────────────────────────


@pytest.fixture
def there(link: Path, monkeypatch: pytest.MonkeyPatch) -> There:
    """Return a probe that keeps the file open."""
    monkeypatch.setattr(unchanged, "MARGIN_NS", 0)
    time.sleep(GRAIN_SECONDS)
    probe = There(os.fsencode(link), files_at(link, kept=16))
    assert [probe(), probe()] == [True, True]
    assert open_files(link.parent) == ["link"]
    return probe


@pytest.mark.parametrize("change", [removed, renamed, removed_where_another_name_is_left])
def test_a_file_that_goes_is_not_there(link: Path, there: There, change: Callable[[Path], None]) -> None:
    change(link)
    assert not there()
    link.write_bytes(CONTENT)
    assert there()


@pytest.mark.parametrize("change", [written_in_place, replaced, replaced_by_an_old_one, Path.touch])
def test_a_file_that_is_written_again_is_there(link: Path, there: There, change: Callable[[Path], None]) -> None:
    """As registry:2 does with a link when a layer is pushed again: it is empty for a moment."""
    change(link)
    assert there()
    link.write_bytes(b"")
    assert there()
    link.unlink()
    assert not there()


def test_what_is_there_is_not_looked_for_while_it_is_kept_open(there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", None)
    assert there()


def test_a_large_file_is_not_kept_open(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob that is deleted has to give back its space."""
    link.write_bytes(b"x" * 5000)
    monkeypatch.setattr(unchanged, "MARGIN_NS", 0)
    time.sleep(GRAIN_SECONDS)
    probe = There(os.fsencode(link), files_at(link, kept=16))
    assert [probe(), probe(), probe()] == [True] * 3
    assert open_files(link.parent) == []


@pytest.mark.parametrize("what", [There, lambda path, files: Holds(path, CONTENT, files)], ids=["there", "holds"])
def test_below_a_symbolic_link_nothing_is_kept_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: Callable[[bytes, LocalFiles], There]
) -> None:
    """What it leads to does not tell that it was removed."""
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "link").write_bytes(CONTENT)
    (tmp_path / "stable").symlink_to("v1")
    monkeypatch.setattr(unchanged, "MARGIN_NS", 0)
    time.sleep(GRAIN_SECONDS)
    probe = what(os.fsencode(tmp_path / "stable" / "link"), LocalFiles(str(tmp_path), 16))
    assert [probe(), probe(), probe()] == [True] * 3
    (tmp_path / "stable").unlink()
    assert not probe()


def test_below_a_root_that_is_a_symbolic_link_files_are_kept_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    link = tmp_path / "root" / "link"
    link.write_bytes(CONTENT)
    kept_open(link, monkeypatch, LocalFiles(str(tmp_path / "root"), 16))
    assert open_files(tmp_path / "real") == ["link"]


def test_it_is_tried_once_a_second_to_keep_a_file_open(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more are asked about than may be kept each would be opened anew for each question."""
    tried = []
    files = files_at(link, kept=16)
    monkeypatch.setattr(files, "open", tried.append)
    holds = asked(link, monkeypatch, files)
    assert [holds() for _ in range(10)] == [True] * 10
    assert tried == [os.fsencode(link)]


@pytest.mark.parametrize("what", [There, lambda path, files: Holds(path, CONTENT, files)], ids=["there", "holds"])
def test_what_is_kept_stays_open_from_second_to_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: Callable[[bytes, LocalFiles], There]
) -> None:
    monkeypatch.setattr(unchanged, "MARGIN_NS", 0)
    files, probes = LocalFiles(str(tmp_path), 2), []
    for name in ("one", "other"):
        (tmp_path / name).write_bytes(CONTENT)
        probes.append(what(os.fsencode(tmp_path / name), files))
    time.sleep(GRAIN_SECONDS)
    assert [probe() for probe in probes * 3] == [True] * 6
    now = time.monotonic()
    monkeypatch.setattr(os, "open", None)
    for second in range(1, 10):
        monkeypatch.setattr(time, "monotonic", lambda later=now + 1.1 * second: later)
        assert [probe() for probe in probes * 3] == [True] * 6
        assert open_files(tmp_path) == ["one", "other"]


def test_the_descriptor_of_somebody_else_is_not_closed(link: Path, there: There) -> None:
    closed = next(each for each in os.listdir("/proc/self/fd") if leads_to(each, link))
    os.close(int(closed))
    with open(os.devnull, "rb") as other:  # gets the lowest number, which is that one
        assert other.fileno() == int(closed)
        link.unlink()
        assert not there()
        os.fstat(other.fileno())
