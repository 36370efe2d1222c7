"""The outbox `sqlite`: a database in a local directory, shared by all processes of a host.

Its write-ahead log is flushed with each commit, so what was put is there after a crash of the machine too. Backlogs are
counted as they change, so that nobody has to count rows.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from registry_wsgi import writable
from registry_wsgi.errors import ConfigurationError, Unavailable, why
from registry_wsgi.interfaces import EndpointStatistics, StoredParcel
from registry_wsgi.notifications.claim import FileClaim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry_wsgi.interfaces import Parcel

_FILE = "outbox.sqlite"
_BUSY_SECONDS = 20.0
_VERSION = 1
# How a database begins, and where it has its user_version (SQLite, "Database File Format", 1.3).
_MAGIC = b"SQLite format 3\0"
_VERSION_AT = 60
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS endpoints (
    name TEXT PRIMARY KEY,
    pending INTEGER NOT NULL DEFAULT 0,
    sent INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    errors INTEGER NOT NULL DEFAULT 0,
    last_error TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS statuses (
    endpoint TEXT NOT NULL, status TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (endpoint, status)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parcels (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint TEXT NOT NULL,
    count INTEGER NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0,
    content BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS parcels_of_endpoints ON parcels (endpoint, id);
PRAGMA user_version = {_VERSION}
"""
_LAST_ERROR_CHARACTERS = 500


class SQLiteOutbox:
    """An Outbox in the directory `path`, which is made, for its owner alone, when it is first used.

    Each endpoint may have `maxevents` waiting, and so many before its pull events are dropped: half. 0 is no limit.
    Raises ConfigurationError where it can be seen that the directory or the database cannot be used.
    """

    def __init__(self, *, path: str, maxevents: int = 1_000_000) -> None:
        self._directory = Path(path).absolute()
        self._most = maxevents or 2**62
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._process = os.getpid()
        try:
            self._look()
        except OSError as error:
            raise ConfigurationError(
                f"path: no outbox can be made at {path!r}: {why(error)}"
                "; allowed: a directory of this machine, to write in"
            ) from None

    def put(self, parcels: Sequence[Parcel]) -> None:
        if not parcels:
            return
        with self._transaction() as connection:
            for parcel in parcels:
                self._put(connection, parcel)

    def _put(self, connection: sqlite3.Connection, parcel: Parcel) -> None:
        connection.execute("INSERT OR IGNORE INTO endpoints (name) VALUES (?)", (parcel.endpoint,))
        limit = self._most // 2 if parcel.droppable else self._most
        taken = connection.execute(
            "UPDATE endpoints SET pending = pending + ? WHERE name = ? AND pending + ? <= ?",
            (parcel.count, parcel.endpoint, parcel.count, limit),
        )
        if taken.rowcount:
            connection.execute(
                "INSERT INTO parcels (endpoint, count, content) VALUES (?, ?, ?)",
                (parcel.endpoint, parcel.count, parcel.content),
            )
        elif parcel.droppable:
            _add(connection, parcel.endpoint, EndpointStatistics(dropped=parcel.count))
        else:
            raise Unavailable(f"{limit} events wait for the endpoint {parcel.endpoint}, and no more may")

    def oldest(self, endpoint: str, limit: int) -> list[StoredParcel]:
        with self._open() as connection:
            rows = connection.execute(
                "SELECT id, count, content, sent FROM parcels WHERE endpoint = ? ORDER BY id LIMIT ?", (endpoint, limit)
            )
            return [StoredParcel(*row) for row in rows]

    def settle(self, endpoint: str, parcel: StoredParcel, sent: int) -> None:
        with self._transaction() as connection:
            (before,) = connection.execute(
                "SELECT COALESCE(SUM(count - sent), 0) FROM parcels WHERE endpoint = ? AND id < ?",
                (endpoint, parcel.id),
            ).fetchone()
            # Another process may have come before, after this one had been taken for dead.
            row = connection.execute("SELECT sent FROM parcels WHERE id = ?", (parcel.id,)).fetchone()
            delivered = before + max(0, sent - row[0] if row else 0)
            through = parcel.id if sent >= parcel.count else parcel.id - 1
            connection.execute("DELETE FROM parcels WHERE endpoint = ? AND id <= ?", (endpoint, through))
            connection.execute("UPDATE parcels SET sent = MAX(sent, ?) WHERE id = ?", (sent, parcel.id))
            connection.execute(
                "UPDATE endpoints SET pending = pending - ?, sent = sent + ? WHERE name = ?",
                (delivered, delivered, endpoint),
            )

    def count(self, endpoint: str, counts: EndpointStatistics) -> None:
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO endpoints (name) VALUES (?)", (endpoint,))
            _add(connection, endpoint, counts)

    def statistics(self) -> dict[str, EndpointStatistics]:
        statuses: dict[str, dict[str, int]] = {}
        with self._open() as connection:
            for endpoint, status, count in connection.execute("SELECT endpoint, status, count FROM statuses"):
                statuses.setdefault(endpoint, {})[status] = count
            rows = connection.execute(
                "SELECT name, pending, sent, dropped, failures, errors, last_error FROM endpoints ORDER BY name"
            ).fetchall()
        return {
            name: EndpointStatistics(pending, sent, dropped, failures, errors, statuses.get(name, {}), last_error)
            for name, pending, sent, dropped, failures, errors, last_error in rows
        }

    def forget(self, endpoint: str) -> int:
        with self._transaction() as connection:
            row = connection.execute("SELECT pending FROM endpoints WHERE name = ?", (endpoint,)).fetchone()
            connection.execute("DELETE FROM parcels WHERE endpoint = ?", (endpoint,))
            connection.execute("DELETE FROM statuses WHERE endpoint = ?", (endpoint,))
            connection.execute("DELETE FROM endpoints WHERE name = ?", (endpoint,))
        return row[0] if row else 0

    def claim(self) -> FileClaim | None:
        try:
            self._make_directory()
            return FileClaim.take(self._directory / "delivery.lock")
        except OSError as error:
            raise Unavailable(f"the outbox {self._directory}: {why(error)}") from error

    def close(self) -> None:
        with self._lock:
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._process == os.getpid():
            connection.close()

    def _identity(self) -> tuple[int, int] | None:
        """Return what tells the database's file from any other that its path may come to name."""
        try:
            found = os.stat(self._directory / _FILE)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Give the connection of this process. Raises Unavailable where the database cannot be used.

        It is made anew where somebody has removed the database, or put another in its place.
        """
        try:
            with self._lock:
                if self._connection is not None and self._file != self._identity():
                    self._disconnect()
                if self._connection is None or self._process != os.getpid():
                    self._connection, self._process = self._connect(), os.getpid()
                    self._file = self._identity()
                yield self._connection
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"the outbox {self._directory}: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        """Return a new connection to the database, which is made where it is missing."""
        self._make_directory()
        connection = sqlite3.connect(
            self._directory / _FILE,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                connection.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute("COMMIT")
            elif version != _VERSION:
                raise sqlite3.DatabaseError(f"is of another release (version {version})")
        except BaseException:
            connection.close()
            raise
        return connection

    def _make_directory(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _look(self) -> None:
        """Look at what is there, and write nothing. Raises OSError, and ConfigurationError for another release's."""
        writable.check_directory(self._directory)
        try:
            writable.check_file(self._directory / _FILE)
            with (self._directory / _FILE).open("rb") as file:
                header = file.read(_VERSION_AT + 4)
        except FileNotFoundError:
            return
        if not (header or _MAGIC).startswith(_MAGIC):
            raise OSError("file is not a database")
        version = int.from_bytes(header[_VERSION_AT:], "big")
        if version not in (0, _VERSION):
            raise ConfigurationError(f"path: the outbox {self._directory} is of another release (version {version})")


def _add(connection: sqlite3.Connection, endpoint: str, counts: EndpointStatistics) -> None:
    connection.execute(
        "UPDATE endpoints SET dropped = dropped + ?, failures = failures + ?, errors = errors + ? WHERE name = ?",
        (counts.dropped, counts.failures, counts.errors, endpoint),
    )
    if counts.last_error:
        connection.execute(
            "UPDATE endpoints SET last_error = ? WHERE name = ?", (counts.last_error[:_LAST_ERROR_CHARACTERS], endpoint)
        )
    connection.executemany(
        "INSERT INTO statuses VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
        [(endpoint, status, count) for status, count in counts.statuses.items()],
    )
