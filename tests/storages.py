"""The storage that the application's tests run on: memory and a directory, or with `--storage-driver s3` a bucket.

Tests that are about one driver name it themselves.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from registry_wsgi.drivers.inmemory import InMemoryDriver

if TYPE_CHECKING:
    from pathlib import Path

    from registry_wsgi.interfaces import StorageDriver

NAMES = ("default", "s3")
_chosen = "default"
_numbers = itertools.count()


def choose(name: str) -> None:
    """Take one of NAMES for all tests of this process."""
    global _chosen  # noqa: PLW0603 - set once, before the first test
    _chosen = name


def new_driver() -> StorageDriver:
    """Return a driver over an empty store of its own."""
    if _chosen == "default":
        return InMemoryDriver()
    from registry_wsgi_s3 import S3Driver

    from tests import seaweed

    return S3Driver(**seaweed.shared().section(f"drivers/{next(_numbers)}"))


def section(directory: Path) -> dict[str, Any]:
    """Return the driver's part of a configuration: the same directory is the same store."""
    if _chosen == "default":
        return {"filesystem": {"rootdirectory": str(directory)}}
    from tests import seaweed

    return {"s3": seaweed.shared().section(str(directory))}
