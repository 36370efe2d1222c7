"""A garbage collector's side of what collection.py tells: one collects at a time, and says so to those who write."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from registry_wsgi.errors import DriverError, PathNotFound
from registry_wsgi.storage import paths
from registry_wsgi.storage.collection import LINGERING, SETTLING, exists

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from registry_wsgi.context import Context
    from registry_wsgi.descriptor import Digest
    from registry_wsgi.interfaces import FileWriter, StorageDriver

_SIGN_OF_LIFE = 1.0
"""Seconds after which the turn is renewed: a tenth of the shortest lease that a driver has."""


class CollectionTurn:
    """The right to collect, which one process has at a time, and what those who write are told."""

    def __init__(self, ctx: Context, driver: StorageDriver, held: FileWriter) -> None:
        self._ctx = ctx
        self._driver = driver
        self._held = held
        self._renewed = time.monotonic()
        self.condemned_any = False

    def alive(self) -> None:
        """Renew the turn if it is time. Raises DriverError where another may have taken it: nothing may be deleted."""
        if time.monotonic() - self._renewed < _SIGN_OF_LIFE:
            return
        try:
            self._held.write(b"")
            self._held.flush()
        except PathNotFound:
            raise DriverError(self._driver.name, "the turn to collect was lost: this process stood still") from None
        self._renewed = time.monotonic()

    @contextmanager
    def condemned(self, names: Collection[Digest]) -> Iterator[set[Digest]]:
        """Say that digests are about to be deleted, and give those of them that somebody relies on."""
        self.condemned_any = True
        for name in names:
            self._driver.put_content(self._ctx, paths.collection_deleting(name), b"", durable=False)
        kept = {name for name in names if exists(self._driver, self._ctx, paths.collection_kept(name))}
        self.alive()
        yield kept
        for name in names:
            with suppress(PathNotFound):
                self._driver.delete(self._ctx, paths.collection_deleting(name))

    def wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SIGN_OF_LIFE))
            self.alive()


@contextmanager
def turn(ctx: Context, driver: StorageDriver, *, offline: bool = False) -> Iterator[CollectionTurn]:
    """Take the turn, and tell everybody until those who could not be told have ended; `offline`, nobody is there.

    Raises PathBusy while another has the turn. A process that is killed, or fails, leaves what it told standing: those
    who write go on naming what they rely on until one of them sees that it is dead, and are not held up by it.
    """
    held = driver.writer(ctx, paths.COLLECTION_TURN)
    try:
        driver.put_content(ctx, paths.COLLECTION_RUNNING, b"", durable=False)
        _forget(ctx, driver, "deleting", "kept")  # whatever relies on these has links, which are read from now on
        mine = CollectionTurn(ctx, driver, held)
        mine.wait(0 if offline else SETTLING)
        yield mine
        mine.wait(0 if offline or not mine.condemned_any else LINGERING)
        _forget(ctx, driver, "running", "deleting", "kept")
    finally:
        held.close()


def _forget(ctx: Context, driver: StorageDriver, *names: str) -> None:
    for name in names:
        with suppress(PathNotFound):
            driver.delete(ctx, f"{paths.COLLECTION}/{name}")
