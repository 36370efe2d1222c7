"""Deleting uploads that nobody will finish (distribution 2.1, `storage.maintenance.uploadpurging`).

An upload is stale when nothing was written to it for longer than the age. One that is being written is held by
its writer and left alone, however old it is. Of several processes one purges at a time. A time that is as far ahead
is of a clock that was wrong, and nothing waits until it has come.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from registry_wsgi.drivers.abilities import abandoned, staged
from registry_wsgi.errors import DriverError, PathBusy, PathNotFound
from registry_wsgi.storage import paths
from registry_wsgi.storage.catalog import directories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver

_UPLOADS = "_uploads"


@dataclass(slots=True)
class Purged:
    """What a purge deleted, or would have, and what it could not: paths of uploads, and reasons."""

    deleted: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def purge_uploads(ctx: Context, driver: StorageDriver, *, age: float, dry_run: bool = False) -> Purged:
    """Delete the uploads to which nothing was written for `age` seconds; `dry_run` only finds them.

    An upload that fails to be deleted is reported and does not stop the others.
    """
    before = time.time() - age
    ctx.info("purging uploads", **{"purge.age": f"{age:.0f}s", "purge.dryrun": dry_run})
    purged = Purged()
    for directory in _uploads(ctx, driver):
        try:
            away = abs(time.time() - _changed(ctx, driver, directory))
            if away > age and (dry_run or _delete(ctx, driver, directory)):
                ctx.info("purged an upload", **{"purge.path": directory})
                purged.deleted.append(directory)
        except DriverError as error:
            ctx.error("an upload could not be purged", **{"purge.path": directory, "purge.error": error})
            purged.errors.append(str(error))
    unseen = abandoned(driver, ctx, before, dry_run=dry_run)
    for path in unseen:
        ctx.info("gave up an unfinished write", **{"purge.path": path})
    purged.deleted += unseen
    counts = {"purge.deleted": len(purged.deleted), "purge.errors": len(purged.errors)}
    ctx.info("purged uploads", **counts)
    return purged


def purge_in_turn(ctx: Context, driver: StorageDriver, *, age: float, interval: float, dry_run: bool) -> Purged | None:
    """Purge unless another process does, or did within `interval` seconds; None if there was nothing to do."""
    try:
        turn = driver.writer(ctx, paths.PURGE_TURN)
    except PathBusy:
        return None
    try:
        if _purged_within(ctx, driver, interval):
            return None
        purged = purge_uploads(ctx, driver, age=age, dry_run=dry_run)
        driver.put_content(ctx, paths.PURGE_DONE, b"", durable=False)
        return purged
    finally:
        turn.close()


def _purged_within(ctx: Context, driver: StorageDriver, seconds: float) -> bool:
    try:
        return abs(time.time() - driver.stat(ctx, paths.PURGE_DONE).modified) < seconds
    except PathNotFound:
        return False


def _uploads(ctx: Context, driver: StorageDriver) -> Iterator[str]:
    for name, own in directories(ctx, driver):
        if _UPLOADS in own:
            with suppress(PathNotFound):
                yield from driver.list(ctx, f"{paths.repository(name)}/{_UPLOADS}")


def _changed(ctx: Context, driver: StorageDriver, directory: str) -> float:
    """Return when the upload was last written to, in seconds since the epoch; one that has vanished is new."""
    for path in (f"{directory}/data", f"{directory}/startedat", directory):
        with suppress(PathNotFound):
            return staged(driver, ctx, path).modified
    return time.time()


def _delete(ctx: Context, driver: StorageDriver, directory: str) -> bool:
    """Delete the upload while its writer is held, so that nobody goes on with it; tell whether it could be held."""
    try:
        writer = driver.writer(ctx, f"{directory}/data", append=True)
    except PathBusy:
        return False
    except PathNotFound:
        driver.delete(ctx, directory)
        return True
    try:
        writer.cancel()
        with suppress(PathNotFound):  # where directories are only what paths have in common
            driver.delete(ctx, directory)
    finally:
        writer.close()
    return True
