"""What the filesystem driver keeps of large directories, and when it does not believe it."""

from __future__ import annotations

import math
import os
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry_wsgi.drivers import ordered
from registry_wsgi.drivers.ordered import OrderedDirectories
from registry_wsgi.testing._together import together

MARGIN = ordered.MARGIN_NS / 1e9


@pytest.fixture
def reads(monkeypatch):
    """The directories that were read since this was last cleared."""
    taken = []
    real = ordered.read_directory
    monkeypatch.setattr(ordered, "read_directory", lambda path: (taken.append(os.path.basename(path)), real(path))[1])
    return taken


def make(directory, names, age=10 * MARGIN):
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        (directory / name).touch()
    aged(directory, age)
    return str(directory)


def aged(directory, age=10 * MARGIN):
    changed = time.time_ns() - int(age * 1e9)
    os.utime(directory, ns=(changed, changed))


def test_a_directory_is_read_once_until_it_changes(tmp_path, reads):
    path = make(tmp_path / "d", "acd")
    index = OrderedDirectories(fewest=1)
    assert index.names_after(path, "", 2) == ["a", "c"]
    assert index.names_after(path, "c", 2) == ["d"]
    assert reads == ["d"]
    (tmp_path / "d" / "b").touch()
    assert index.names_after(path, "a", 2) == ["b", "c"]
    (tmp_path / "d" / "c").unlink()
    assert index.names_after(path, "a", 2) == ["b", "d"]
    assert reads == ["d"] * 3


@pytest.mark.parametrize("age", [0, MARGIN / 2, MARGIN - 0.5, -1, -3600])
def test_a_reading_within_the_margin_of_the_last_change_is_not_kept(tmp_path, reads, age):
    path = make(tmp_path / "d", "ab", age)
    index = OrderedDirectories(fewest=1)
    for _ in range(3):
        assert index.names_after(path, "", 2) == ["a", "b"]
    assert reads == ["d"] * 3


def test_a_directory_in_the_place_of_another_is_read(tmp_path):
    path = make(tmp_path / "d", "ab")
    make(tmp_path / "e", "xy")
    index = OrderedDirectories(fewest=1)
    index.names_after(path, "", 2)
    (tmp_path / "d").rename(tmp_path / "f")
    with pytest.raises(FileNotFoundError):
        index.names_after(path, "", 2)
    (tmp_path / "e").rename(tmp_path / "d")
    assert index.names_after(path, "", 2) == ["x", "y"]


def test_a_change_while_the_directory_is_read_is_not_lost(tmp_path, monkeypatch):
    path = make(tmp_path / "d", "a")
    index = OrderedDirectories(fewest=1)
    real = os.listdir

    def listdir(directory):
        names = real(directory)
        (tmp_path / "d" / "b").touch()
        return names

    monkeypatch.setattr(os, "listdir", listdir)
    assert index.names_after(path, "", 2) == ["a"]
    monkeypatch.undo()
    assert index.names_after(path, "", 2) == ["a", "b"]


def test_small_directories_and_those_beyond_the_bound_are_not_kept(tmp_path, reads):
    index = OrderedDirectories(fewest=3, most=4)
    for names, times in (("ab", 2), ("abc", 1), ("abcd", 1), ("abcde", 2)):
        path = make(tmp_path / names, names)
        for _ in range(2):
            assert index.names_after(path, "a", 1) == ["b"]
        assert reads == [names] * times
        reads.clear()


def test_of_all_that_is_kept_the_least_recently_used_goes_first(tmp_path, reads):
    paths = {name: make(tmp_path / name, "abc") for name in "xyz"}
    index = OrderedDirectories(fewest=1, most=6)
    for name in "xyxzxyz":
        index.names_after(paths[name], "", 1)
    assert reads == ["x", "y", "z", "y", "z"]


def test_threads_share_what_is_kept(tmp_path):
    wide = [f"{number:03}" for number in range(300)]
    paths = [make(tmp_path / name, wide) for name in "xyz"]
    index = OrderedDirectories(most=700)

    def look():
        for number in range(300):
            assert index.names_after(paths[number % 3], wide[number], 5) == wide[number + 1 : number + 6]

    together(look, look, look, look)
    assert index._kept == sum(len(reading.names) for reading in index._readings.values()) <= 700


STEPS = st.lists(st.one_of(st.integers(0, 5), st.sampled_from([0.01, 0.4, 0.9, 1.5, 4.0])), max_size=40)


@settings(max_examples=200)
@given(STEPS, st.floats(0, 1), st.floats(-1, 1), st.sampled_from([0.01, 1.0]))
def test_no_change_is_hidden_by_times_of_a_coarse_granularity(steps, start, skew, granularity):
    """A step is a name to make or remove, or a time to wait. The file server's clock differs by `skew`."""
    now = 1_000_000 + start
    changed = names = None
    real = os.fstat

    def fstat(file):
        found = real(file)
        stamp = int(changed * 1e9)
        return SimpleNamespace(st_mtime_ns=stamp, st_ctime_ns=stamp, st_ino=1, st_dev=found.st_dev)

    with (
        TemporaryDirectory() as directory,
        patch.object(os, "fstat", fstat),
        patch("registry_wsgi.drivers.directories.is_named", lambda *_: True),
        patch.object(ordered.time, "time_ns", lambda: int(now * 1e9)),
    ):
        index, names, changed = OrderedDirectories(fewest=0), set(), now - 100
        for step in steps:
            if isinstance(step, float):
                now += step
            else:
                file = Path(directory, str(step))
                file.unlink() if str(step) in names else file.touch()
                names ^= {str(step)}
                changed = math.floor((now + skew) / granularity) * granularity
            assert index.names_after(directory, "", 10) == sorted(names)


def test_pages_end_with_the_directory(tmp_path):
    path = make(tmp_path / "d", "abc")
    index = OrderedDirectories(fewest=1)
    index.names_after(path, "", 1)
    shutil.rmtree(path)
    with pytest.raises(FileNotFoundError):
        index.names_after(path, "", 1)
