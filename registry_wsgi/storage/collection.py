"""What a writer and a garbage collection that may be running at the same moment owe each other.

    /registry-wsgi/garbagecollection
    ├── turn                        held by the process that collects
    ├── running                     there while anything may be deleted
    ├── kept/<algorithm>/<hex>      writers: something new relies on this digest
    └── deleting/<algorithm>/<hex>  the collector: about to delete it

A writer writes its links first and asks whether a collection runs second; the collector says that it runs first and
reads links second. So one of them sees the other: a collector that was not seen finds the links, and to one that was
the writer names what it relies on, digest by digest, in the same manner: it writes `kept` and then looks for
`deleting`, where the collector writes `deleting` and then looks for `kept`.

Nearly always none runs. That is asked once in `REMEMBERED` seconds, which is right as long as the collector waits for
`SETTLING` before it reads, and says that it runs for `LINGERING` after its last delete. For one that was killed a
writer says that it has ended, when it has been dead for so long.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from registry_wsgi.errors import PathBusy, PathNotFound, Unavailable
from registry_wsgi.storage import paths

if TYPE_CHECKING:
    from collections.abc import Collection

    from registry_wsgi.context import Context
    from registry_wsgi.descriptor import Digest
    from registry_wsgi.interfaces import StorageDriver

REMEMBERED = 5.0
"""Seconds for which a writer believes that no collection runs."""
SETTLING = 2 * REMEMBERED
"""Seconds from saying that it runs to the first look at a link: until then a link may be written unseen."""
PATIENCE = 30.0
"""Seconds that a request may be old and still trust what it found when it began."""
LINGERING = PATIENCE + 3 * REMEMBERED
"""Seconds from the last delete to saying that it has ended: who found the blob before it asks until then."""


class CollectionWatch:
    """A writer's side; one for all requests of a process."""

    def __init__(self, driver: StorageDriver) -> None:
        self._driver = driver
        self._idle_until = self._look_again = 0.0
        self._dead: tuple[float, float] | None = None
        """When a collection began that was found dead, as storage has it, and when it was found, by our clock."""

    def keep(self, ctx: Context, digests: Collection[Digest]) -> bool:
        """Tell a collection what is relied on; return whether it may be gone already, so that it is to be looked for.

        Called when what refers to the digests has been written. `ctx` began before they were found.
        Raises Unavailable where one of them is being deleted.
        """
        if self._idle(ctx):
            return time.monotonic() - ctx.started > PATIENCE
        for digest in digests:
            self._driver.put_content(ctx, paths.collection_kept(digest), b"", durable=False)
        for digest in digests:
            if exists(self._driver, ctx, paths.collection_deleting(digest)):
                self._check_dead(ctx, digest)
        return True

    def _idle(self, ctx: Context) -> bool:
        asked = time.monotonic()
        if asked < self._idle_until:
            return True
        if exists(self._driver, ctx, paths.COLLECTION_RUNNING) and not self._ended(ctx, asked):
            return False
        self._idle_until = asked + REMEMBERED
        return True

    def _ended(self, ctx: Context, now: float) -> bool:
        """Say that it has ended in the place of a collector that has been dead for `LINGERING`, and tell whether."""
        if now < self._look_again:
            return False
        self._look_again = now + REMEMBERED
        try:
            turn = self._driver.writer(ctx, paths.COLLECTION_TURN)
        except PathBusy:
            return False
        try:
            began = self._driver.stat(ctx, paths.COLLECTION_RUNNING).modified
            if self._dead is None or self._dead[0] != began:
                self._dead = began, now
            if now - self._dead[1] < LINGERING:
                return False
            # What else it has told stays for the next one: to delete it all may take longer than the turn is ours.
            self._driver.delete(ctx, paths.COLLECTION_RUNNING)
            ctx.warning("a garbage collection was killed; the next one does what it has left")
        except PathNotFound:
            pass
        finally:
            turn.close()
        return True

    def _check_dead(self, ctx: Context, digest: Digest) -> None:
        """Raise Unavailable if the collector lives; one that was killed deletes nothing any more."""
        try:
            turn = self._driver.writer(ctx, paths.COLLECTION_TURN)
        except PathBusy:
            raise too_late(digest) from None
        turn.close()


def too_late(digest: Digest) -> Unavailable:
    """Return the error of who relied on content that has just been collected, and may send it again."""
    return Unavailable(f"{digest} is being garbage collected: send it again", headers={"Retry-After": "1"})


def exists(driver: StorageDriver, ctx: Context, path: str) -> bool:
    """Tell whether an empty file is there: where directories are none, to read it is one call and a stat are two."""
    try:
        driver.get_content(ctx, path)
    except PathNotFound:
        return False
    return True
