"""The built-in outboxes, by the suite that every outbox has to pass, and what is SQLite's own."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.errors import ConfigurationError, Unavailable
from registry_wsgi.interfaces import Parcel
from registry_wsgi.notifications.inmemory import InMemoryOutbox
from registry_wsgi.notifications.sqlite import SQLiteOutbox
from registry_wsgi.testing.events import OutboxSuite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENT = Parcel("one", 1, b"content")


class TestInMemoryOutbox(OutboxSuite):
    @pytest.fixture
    def outbox(self) -> InMemoryOutbox:
        return InMemoryOutbox(maxevents=100)


class TestSQLiteOutbox(OutboxSuite):
    @pytest.fixture
    def outbox(self, tmp_path: Path) -> Iterator[SQLiteOutbox]:
        outbox = SQLiteOutbox(path=str(tmp_path / "outbox"), maxevents=100)
        yield outbox
        outbox.close()

    @pytest.fixture
    def again(self, outbox: SQLiteOutbox, tmp_path: Path) -> Iterator[SQLiteOutbox]:
        again = SQLiteOutbox(path=str(tmp_path / "outbox"), maxevents=100)
        yield again
        again.close()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[SQLiteOutbox]:
    outbox = SQLiteOutbox(path=str(tmp_path / "new" / "outbox"))
    yield outbox
    outbox.close()


def test_the_directory_is_made_for_its_owner_alone(outbox: SQLiteOutbox, tmp_path: Path) -> None:
    outbox.put([EVENT])
    assert stat.S_IMODE((tmp_path / "new" / "outbox").stat().st_mode) == 0o700


def test_a_forked_process_has_a_connection_of_its_own(outbox: SQLiteOutbox) -> None:
    outbox.put([EVENT])
    child = os.fork()
    if not child:  # pragma: no cover - measured in another process
        try:
            outbox.put([EVENT])
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    outbox.put([EVENT])
    assert outbox.statistics()["one"].pending == 3


def test_zero_is_no_limit(tmp_path: Path) -> None:
    outbox = SQLiteOutbox(path=str(tmp_path), maxevents=0)
    outbox.put([Parcel("one", 10**9, b""), Parcel("one", 10**9, b"", droppable=True)])
    assert outbox.statistics()["one"].pending == 2 * 10**9
    outbox.close()


def test_a_database_that_is_none_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "outbox.sqlite").write_bytes(b"no database, whatever its name says" * 100)
    with pytest.raises(ConfigurationError, match=r"^path: no outbox can be made at .*: file is not a database"):
        SQLiteOutbox(path=str(tmp_path))


def test_a_database_of_another_release_is_said_at_the_start(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "outbox.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigurationError, match=r"^path: the outbox .* is of another release \(version 99\)"):
        SQLiteOutbox(path=str(tmp_path))


def test_a_directory_that_cannot_be_made_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"^path: no outbox can be made at .*: Not a directory; allowed:"):
        SQLiteOutbox(path=str(tmp_path / "file" / "outbox"))


def test_a_database_that_fails_later_is_unavailable(outbox: SQLiteOutbox, tmp_path: Path) -> None:
    outbox.put([EVENT])
    outbox.close()
    database = tmp_path / "new" / "outbox" / "outbox.sqlite"
    database.write_bytes(b"overwritten" * 1000)
    for operation in (lambda: outbox.put([EVENT]), outbox.statistics, lambda: outbox.oldest("one", 1)):
        with pytest.raises(Unavailable, match=r"the outbox .*: "):
            operation()


def test_a_database_that_was_removed_is_made_anew_by_all(outbox: SQLiteOutbox, tmp_path: Path) -> None:
    directory = tmp_path / "new" / "outbox"
    other = SQLiteOutbox(path=str(directory))
    outbox.put([EVENT])
    assert len(other.oldest("one", 10)) == 1
    for file in directory.iterdir():
        file.unlink()
    outbox.put([EVENT])
    assert len(other.oldest("one", 10)) == 1
    assert other.statistics()["one"].pending == 1
    other.close()


def test_processes_wait_for_each_other(outbox: SQLiteOutbox, tmp_path: Path) -> None:
    outbox.put([EVENT])
    other = sqlite3.connect(tmp_path / "new" / "outbox" / "outbox.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    put = threading.Thread(target=outbox.put, args=[[EVENT]])
    put.start()
    put.join(0.2)
    assert put.is_alive()
    other.execute("COMMIT")
    other.close()
    put.join(30)
    assert outbox.statistics()["one"].pending == 2
