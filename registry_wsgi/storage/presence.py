"""Whether the data of a blob that was found once is there still, without asking storage for all that it knows.

A cache of descriptors is not told when another program, such as registry:2's garbage collector, deletes data: whoever
believed it would tell a client that a layer need not be pushed, and would serve an image that lacks it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from cachetools import TTLCache

from registry_wsgi.interfaces import Probing
from registry_wsgi.storage import paths

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.descriptor import Digest
    from registry_wsgi.interfaces import StorageDriver

SECONDS: Final = 60.0
"""For so long a blob that was found is taken to be there: an object store is asked by a request over the network."""

_MOST: Final = 10_000


class Presence(Protocol):
    def stands(self, digest: Digest) -> bool:
        """Tell whether the data is there; no where that has to be asked of storage."""

    def found(self, digest: Digest) -> None: ...
    def missed(self, digest: Digest) -> None: ...


def presence(driver: StorageDriver) -> Presence:
    """Return what looks each time over a driver that can probe, and what remembers for a while over another."""
    if isinstance(driver, Probing) and driver.probe(paths.ROOT) is not None:
        return Probed(driver.probe)
    return Seen()


class Probed:
    def __init__(self, probe: Callable[[str], Callable[[], bool] | None]) -> None:
        self._probe = probe

    def stands(self, digest: Digest) -> bool:
        stands = self._probe(paths.blob_data(digest))
        return stands is not None and stands()

    def found(self, digest: Digest) -> None:
        """Do nothing: the next look is as cheap."""

    def missed(self, digest: Digest) -> None:
        """Do nothing: the next look sees it, too."""


class Seen:
    """The digests that were found in the last `seconds`, the longest unused of many forgotten first."""

    def __init__(self, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._digests: TTLCache[Digest, None] = TTLCache(_MOST, seconds, clock)
        self._lock = threading.Lock()  # Even a look-up changes the order of the cache.

    def stands(self, digest: Digest) -> bool:
        with self._lock:
            return digest in self._digests

    def found(self, digest: Digest) -> None:
        with self._lock:
            self._digests[digest] = None

    def missed(self, digest: Digest) -> None:
        with self._lock:
            self._digests.pop(digest, None)
