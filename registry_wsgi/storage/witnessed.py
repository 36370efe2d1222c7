"""Links of layers that some process saw, where processes share a cache, and each look at storage is a call.

A link is a call of the store, and the content another one. That is twice what a registry makes that believes its cache
for good, as registry:2 does, and shows what was deleted behind it. Here a link is looked at once for all processes that
share the cache; from then on it is believed until one of them deletes it, and for `cache.links.ttl` at most: a delete
by somebody who does not tell the cache is seen after that.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from registry_wsgi.drivers import abilities
from registry_wsgi.interfaces import LinkWitness
from registry_wsgi.storage import paths
from registry_wsgi.storage.tolerance import tolerated

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import BlobDescriptorCacheProvider, StorageDriver


REMEMBERED: Final = 60.0
"""The seconds for which a delete counts before every look that is told after it."""


def witnessed_links(
    driver: StorageDriver, cache: BlobDescriptorCacheProvider | None, seconds: float
) -> WitnessedLinks | None:
    """Return what processes tell each other of links; None where they share no cache, or a look is cheap."""
    if not isinstance(cache, LinkWitness) or abilities.probe(driver, paths.ROOT) is not None:
        return None
    return WitnessedLinks(cache, seconds)


class WitnessedLinks:
    """What is said of links by all who share `witness`, for `seconds` from the look of one of them.

    With 0 nobody is believed, and deletes are told all the same: others may believe. A witness is never a reason to
    fail: while it is Unavailable, which its provider logs, storage is asked.
    """

    def __init__(self, witness: LinkWitness, seconds: float) -> None:
        self._witness = witness
        self.seconds = seconds

    def stands(self, ctx: Context, path: str) -> bool:
        """Tell whether somebody saw the link, and nobody deleted it since."""
        with tolerated(ctx, "the cache failed to look up a link"):
            return bool(self.seconds) and self._witness.testified(ctx, path)
        return False

    def saw(self, ctx: Context, path: str, when: float) -> None:
        """Tell the others of a link that was read or written after `when`, by the monotonic clock.

        Whoever was held up since then may come when the delete of it is forgotten again, and says nothing.
        """
        if not self.seconds or time.monotonic() - when > REMEMBERED / 2:
            return
        with tolerated(ctx, "the cache failed to remember a link"):
            self._witness.testify(ctx, path, self.seconds)

    def forget(self, ctx: Context, path: str) -> None:
        """Tell the others of a delete. While they cannot be told, they see it when `seconds` are over."""
        with tolerated(ctx, "the cache failed to forget a link"):
            self._witness.withdraw(ctx, path, REMEMBERED)
