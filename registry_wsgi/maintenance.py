"""What a registry does by itself from time to time: it purges uploads that nobody will finish."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

from registry_wsgi.errors import DriverError
from registry_wsgi.storage.purge import purge_in_turn

if TYPE_CHECKING:
    from registry_wsgi.config import UploadPurging
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver

_LONGEST_DELAY = 59 * 60.0


def start(ctx: Context, driver: StorageDriver, purging: UploadPurging) -> threading.Event:
    """Purge in a thread: after a random delay, so that many hosts do not start at once, and then at every interval.

    Returns the event that ends it.
    """
    ended = threading.Event()
    delay = random.uniform(0, min(_LONGEST_DELAY, purging.interval))  # noqa: S311 - no secret
    thread = threading.Thread(target=_purge, args=(ctx, driver, purging, delay, ended), daemon=True, name="purge")
    ctx.info("uploads will be purged", **{"purge.delay": f"{delay:.0f}s", "purge.interval": f"{purging.interval:.0f}s"})
    thread.start()
    return ended


def _purge(ctx: Context, driver: StorageDriver, purging: UploadPurging, delay: float, ended: threading.Event) -> None:
    while not ended.wait(delay):
        delay = purging.interval
        try:
            # Of hosts that share the store one purges in each interval; half of it tells their turns apart.
            purge_in_turn(ctx, driver, age=purging.age, interval=purging.interval / 2, dry_run=purging.dryrun)
        except DriverError as error:
            ctx.error("uploads could not be purged", **{"purge.error": error})
