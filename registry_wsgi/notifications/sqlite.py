"""The outbox `sqlite`: a database in a local directory, shared by all processes of a host.

Its write-ahead log is flushed with each commit, so what was put is there after a crash of the machine too. Backlogs are
counted as they change, so that nobody has to count rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from registry_wsgi.errors import ConfigurationError, Unavailable, why
from registry_wsgi.interfaces import EndpointStatistics, StoredParcel
from registry_wsgi.notifications.claim import FileClaim
from registry_wsgi.notifications.database import Database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from registry_wsgi.interfaces import Parcel

_LAST_ERROR_CHARACTERS = 500


class SQLiteOutbox:
    """An Outbox in the directory `path`, which is made, for its owner alone, when it is first used.

    Each endpoint may have `maxevents` waiting, and so many before its pull events are dropped: half. 0 is no limit.
    Raises ConfigurationError where it can be seen that the directory or the database cannot be used.
    """

    def __init__(self, *, path: str, maxevents: int = 1_000_000) -> None:
        self._database = Database(Path(path).absolute())
        self._most = maxevents or 2**62
        try:
            self._database.look()
        except OSError as error:
            raise ConfigurationError(
                f"path: no outbox can be made at {path!r}: {why(error)}"
                "; allowed: a directory of this machine, to write in"
            ) from None

    def put(self, parcels: Sequence[Parcel]) -> None:
        if not parcels:
            return
        with self._database.transaction() as connection:
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
        with self._database.open() as connection:
            rows = connection.execute(
                "SELECT id, count, content, sent FROM parcels WHERE endpoint = ? ORDER BY id LIMIT ?", (endpoint, limit)
            )
            return [StoredParcel(*row) for row in rows]

    def settle(self, endpoint: str, parcel: StoredParcel, sent: int) -> None:
        with self._database.transaction() as connection:
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
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO endpoints (name) VALUES (?)", (endpoint,))
            _add(connection, endpoint, counts)

    def statistics(self) -> dict[str, EndpointStatistics]:
        statuses: dict[str, dict[str, int]] = {}
        with self._database.open() as connection:
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
        with self._database.transaction() as connection:
            row = connection.execute("SELECT pending FROM endpoints WHERE name = ?", (endpoint,)).fetchone()
            connection.execute("DELETE FROM parcels WHERE endpoint = ?", (endpoint,))
            connection.execute("DELETE FROM statuses WHERE endpoint = ?", (endpoint,))
            connection.execute("DELETE FROM endpoints WHERE name = ?", (endpoint,))
        return row[0] if row else 0

    def claim(self) -> FileClaim | None:
        try:
            self._database.make_directory()
            return FileClaim.take(self._database.directory / "delivery.lock")
        except OSError as error:
            raise Unavailable(f"the outbox {self._database.directory}: {why(error)}") from error

    def close(self) -> None:
        self._database.close()


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
