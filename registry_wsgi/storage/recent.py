"""Links that were seen a moment ago, where each look at storage is a call that somebody waits for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from cachetools import LRUCache

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver

_MOST: Final = 20_000
"""The links that are remembered, some 300 bytes each."""


class RecentLinks:
    """Looks for link files, and believes for `seconds` what it saw, from the moment at which it asked.

    For so long a delete through another process is not seen; with 0 storage is asked each time. Of deletes in this
    process it is told. That a link is missing is never remembered.
    """

    def __init__(self, driver: StorageDriver, seconds: float) -> None:
        self.seconds = seconds
        self._driver = driver
        self._seen: LRUCache[str, float] = LRUCache(_MOST)
        self._lock = threading.Lock()  # Even a look-up changes the order of an LRU cache.

    def stat(self, ctx: Context, path: str) -> None:
        """Raise PathNotFound where the link is not there."""
        if self.seconds:
            with self._lock:
                seen = self._seen.get(path)
            if seen is not None and time.monotonic() - seen < self.seconds:
                return
        asked = time.monotonic()
        self._driver.stat(ctx, path)
        self.saw(path, asked)

    def saw(self, path: str, when: float) -> None:
        """Remember a link that was read or written after `when`, by the monotonic clock."""
        if self.seconds:
            with self._lock:
                self._seen[path] = when

    def forget(self, path: str) -> None:
        if self.seconds:
            with self._lock:
                self._seen.pop(path, None)
