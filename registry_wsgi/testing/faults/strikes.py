"""Which requests a fault strikes."""

from __future__ import annotations

import threading
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class Strikes:
    """Tells of each request whether the fault strikes it; threads may ask at the same time.

    `methods` are words, `path` is a pattern of shell wildcards in which `*` matches slashes, too; empty, they leave
    nothing out. Of the requests that match the first `after` are spared, and then `times` struck: None means all.
    Raises ValueError.
    """

    def __init__(self, *, methods: str = "", path: str = "", times: int | None = None, after: int = 0) -> None:
        if (times is not None and times < 0) or after < 0:
            raise ValueError("times and after must be 0 or more")
        self._methods = frozenset(methods.upper().replace(",", " ").split())
        self._path = path
        self._spared = after
        self._left = times
        self._lock = threading.Lock()

    def strikes(self, environ: WSGIEnvironment) -> bool:
        if self._methods and environ["REQUEST_METHOD"] not in self._methods:
            return False
        if self._path and not fnmatchcase(environ.get("PATH_INFO", ""), self._path):
            return False
        with self._lock:
            if self._spared:
                self._spared -= 1
                return False
            if self._left is None:
                return True
            self._left = max(self._left, 0) - 1
            return self._left >= 0
