"""The database file of an outbox: opened by each process for itself, made where it is missing, looked at unopened."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from registry_wsgi import writable
from registry_wsgi.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


class Database:
    """A connection of each process to the database in `directory`, which one thread at a time has."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._path = directory / _FILE
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._process = os.getpid()

    def look(self) -> None:
        """Look at what is there, and write nothing. Raises OSError, and ConfigurationError for another release's."""
        writable.check_directory(self.directory)
        try:
            writable.check_file(self._path)
            with self._path.open("rb") as file:
                header = file.read(_VERSION_AT + 4)
        except FileNotFoundError:
            return
        if not (header or _MAGIC).startswith(_MAGIC):
            raise OSError("file is not a database")
        version = int.from_bytes(header[_VERSION_AT:], "big")
        if version not in (0, _VERSION):
            raise ConfigurationError(f"path: the outbox {self.directory} is of another release (version {version})")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with self.open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
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
            raise Unavailable(f"the outbox {self.directory}: {error}") from error

    def close(self) -> None:
        with self._lock:
            self._disconnect()

    def make_directory(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _connect(self) -> sqlite3.Connection:
        """Return a new connection to the database, which is made where it is missing."""
        self.make_directory()
        connection = sqlite3.connect(
            self._path,
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

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._process == os.getpid():
            connection.close()

    def _identity(self) -> tuple[int, int] | None:
        """Return what tells the database's file from any other that its path may come to name."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino
