"""Processes that share a directory: who is alive, what those leave behind that are not, and who may not be believed."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.errors import ConfigurationError
from registry_wsgi.metrics.families import CACHE_HITS, UPLOADS
from registry_wsgi.metrics.members import Members, shared_directory
from registry_wsgi.testing._together import together

if TYPE_CHECKING:
    from pathlib import Path

KEY, GAUGE = (CACHE_HITS.name,), (UPLOADS.name,)
OTHER = f"""
import sys
from pathlib import Path
from registry_wsgi.metrics.members import Members
members = Members(Path(sys.argv[1]))
members.join()
members.publish({{{KEY!r}: [5.0], {GAUGE!r}: [1.0]}})
print(members.try_to_be_the_one(), flush=True)
sys.stdin.read()
members.leave({{{KEY!r}: [7.0], {GAUGE!r}: [1.0]}})
"""


def other_process(directory: Path) -> subprocess.Popen[str]:
    """Start a member that ends when its input does; return it once it has joined."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "True\n"
    return process


def ended(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=60)


def member(directory: Path, number: float) -> Members:
    members = Members(directory)
    members.join()
    members.publish({KEY: [number]})
    return members


def test_threads_of_a_process_publish_at_once(tmp_path: Path) -> None:
    members = member(tmp_path, 1)

    def publish() -> None:
        for _ in range(200):
            members.publish({KEY: [1.0]})
            assert members.gather() == ({KEY: [1.0]}, 1)

    together(*[publish] * 4)


def test_members_add_up(tmp_path: Path) -> None:
    other = other_process(tmp_path)
    assert member(tmp_path, 2).gather() == ({KEY: [7.0], GAUGE: [1.0]}, 2)
    ended(other)


@pytest.mark.parametrize(("how", "counted"), [("killed", 5.0), ("left", 7.0)])
def test_of_one_that_ended_the_counts_stay_and_the_gauges_go(tmp_path: Path, how: str, counted: float) -> None:
    other = other_process(tmp_path)
    mine = member(tmp_path, 2)
    if how == "killed":
        other.send_signal(signal.SIGKILL)
    ended(other)
    for _ in range(2):
        assert mine.gather() == ({KEY: [2 + counted]}, 1)


def test_new_processes_begin_with_nothing(tmp_path: Path) -> None:
    other = other_process(tmp_path)
    Members(tmp_path).take_down()
    other.send_signal(signal.SIGKILL)
    ended(other)
    mine = member(tmp_path, 2)
    assert mine.gather() == ({KEY: [2.0]}, 1)
    assert not mine.is_down


def test_the_last_one_leaves_nothing(tmp_path: Path) -> None:
    member(tmp_path, 2).leave({KEY: [3.0]})
    assert [path.name for path in tmp_path.iterdir()] == []


def test_one_alone_does_what_one_alone_may_do_until_it_ends(tmp_path: Path) -> None:
    other = other_process(tmp_path)
    mine = member(tmp_path, 2)
    assert not mine.try_to_be_the_one()
    ended(other)
    assert mine.try_to_be_the_one()
    assert mine.try_to_be_the_one()


def test_what_one_is_told_all_know(tmp_path: Path) -> None:
    one, other = Members(tmp_path), Members(tmp_path)
    one.take_down()
    assert other.is_down
    other.take_up()
    other.take_up()
    assert not one.is_down


def test_a_forked_process_is_a_member_of_its_own(tmp_path: Path) -> None:
    mine = member(tmp_path, 2)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:  # pragma: no cover - another process
        mine.forked()
        mine.publish({KEY: [3.0]})
        os.write(writing, b"x")
        signal.pause()
    os.read(reading, 1)
    assert mine.gather() == ({KEY: [5.0]}, 2)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert mine.gather() == ({KEY: [5.0]}, 1)


def test_a_process_that_is_forked_while_the_directory_is_looked_after_becomes_a_member(tmp_path: Path) -> None:
    mine = member(tmp_path, 2)
    reading, writing = os.pipe()
    with mine._alone():
        pid = os.fork()
        if pid == 0:  # pragma: no cover - another process
            mine.forked()
            os.write(writing, b"x")
            os._exit(0)
    os.close(writing)
    try:
        readable, _, _ = select.select([reading], [], [], 60)
        assert readable, "it waits for a lock that nobody will release"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_directory_that_is_somebody_elses_link_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = shared_directory("127.0.0.1:5001")
    assert made.stat().st_mode & 0o777 == 0o700
    assert shared_directory("127.0.0.1:5001") == made != shared_directory("127.0.0.1:5002")
    made.rmdir()
    made.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ConfigurationError, match=r"^http\.debug\.addr: .* is not a directory of this user's"):
        shared_directory("127.0.0.1:5001")
