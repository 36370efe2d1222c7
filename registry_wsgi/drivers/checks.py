"""What every storage driver checks before it touches its store."""

from __future__ import annotations

import re

from registry_wsgi.errors import InvalidOffset, InvalidPath

# distribution 2.8 allows `.` and `..` as components; here they are refused, so that no path leads out of the root.
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)+")


def check_path(driver_name: str, path: str, *, root_allowed: bool = False) -> None:
    """Raise InvalidPath unless `path` is `(/[A-Za-z0-9._-]+)+` without `.` and `..` components.

    `/` is allowed with `root_allowed`, for the methods that only look: `list` and `stat`.
    """
    if _PATH.fullmatch(path) is None and not (root_allowed and path == "/"):
        raise InvalidPath(driver_name, path)


def check_offset(driver_name: str, path: str, offset: int) -> None:
    """Raise InvalidOffset where `offset` is negative."""
    if offset < 0:
        raise InvalidOffset(driver_name, path, offset)


def check_open(ended: str) -> None:
    """Raise ValueError where a writer's work has `ended`: "committed", "cancelled" or "closed"."""
    if ended:
        raise ValueError(f"already {ended}")
