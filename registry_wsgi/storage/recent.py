"""Links that were seen a moment ago, where each look at storage is a call that somebody waits for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from cachetools import LRUCache

from registry_wsgi.storage import paths

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver
    from registry_wsgi.storage.witnessed import WitnessedLinks

_MOST: Final = 20_000
"""The links that are remembered, some 300 bytes each."""


class RecentLinks:
    """Looks for link files, and believes for `seconds` what it saw, from the moment at which it asked.

    For so long a delete through another process is not seen; with 0 storage is asked each time. Of deletes in this
    process it is told. That a link is missing is never remembered.

    Before it looks for the link of a layer it asks `witnessed`, if there is that, what others saw, and tells it what it
    sees. Of manifests, whose deletes registry:2 tells no cache, others are not believed. `told_seconds` is for how long
    they are believed of layers.
    """

    def __init__(self, driver: StorageDriver, seconds: float, witnessed: WitnessedLinks | None = None) -> None:
        self.seconds = seconds
        self.told_seconds = witnessed.seconds if seconds and witnessed is not None else 0.0
        self._driver = driver
        self._witnessed = witnessed
        self._seen: LRUCache[str, float] = LRUCache(_MOST)
        self._lock = threading.Lock()  # Even a look-up changes the order of an LRU cache.

    def stat(self, ctx: Context, path: str) -> None:
        """Raise PathNotFound where the link is not there."""
        asked = time.monotonic()
        if self.seconds:
            with self._lock:
                seen = self._seen.get(path)
            if seen is not None and asked - seen < self.seconds:
                return
            if (witnessed := self._witness(path)) is not None and witnessed.stands(ctx, path):
                self._remember(path, asked)
                return
        self._driver.stat(ctx, path)
        self.saw(ctx, path, asked)

    def saw(self, ctx: Context, path: str, when: float) -> None:
        """Remember a link that was read or written after `when`, by the monotonic clock."""
        if self.seconds:
            self._remember(path, when)
            if (witnessed := self._witness(path)) is not None:
                witnessed.saw(ctx, path, when)

    def forget(self, ctx: Context, path: str) -> None:
        """To be told before a link is deleted, and after: another process may look in between."""
        if self.seconds:
            with self._lock:
                self._seen.pop(path, None)
        if (witnessed := self._witness(path)) is not None:
            witnessed.forget(ctx, path)

    def _remember(self, path: str, when: float) -> None:
        with self._lock:
            self._seen[path] = when

    def _witness(self, path: str) -> WitnessedLinks | None:
        return self._witnessed if paths.is_layer_link(path) else None
