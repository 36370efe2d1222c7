"""The storage that the application's tests run on: memory and a directory, or with `--storage-driver` a store.

`s3` is a bucket in SeaweedFS, `azure` a container in Azurite. Clients are not redirected there: what the tests hold is
what the registry itself answers. Tests that are about one driver, or about redirects, name it themselves.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry_wsgi import plugins
from registry_wsgi.context import Context
from registry_wsgi.drivers.inmemory import InMemoryDriver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.interfaces import StorageDriver

NAMES = ("default", "s3", "azure")
PROJECT = Path(__file__).parents[1]
PART = ("tests/api/test_resuming.py", "tests/api/test_mounting.py")
"""What `make test` runs over each store; `make test-stores` runs all that has to do with storage."""

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
    return _built(*_store(f"drivers/{next(_numbers)}"))


def driver_at(directory: Path) -> StorageDriver:
    """Return a driver over what a server with `section(directory)` stores."""
    driver, *_ = section(directory).items()
    return _built(*driver)


def files_at(directory: Path, below: str = "/docker/registry/v2") -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every file that a server with `section(directory)` stores."""
    yield from _files(driver_at(directory), below)


def _files(driver: StorageDriver, path: str) -> Iterator[tuple[str, bytes]]:
    ctx = Context()
    for child in driver.list(ctx, path):
        if driver.stat(ctx, child).is_directory:
            yield from _files(driver, child)
        else:
            yield child, driver.get_content(ctx, child)


def section(directory: Path) -> dict[str, Any]:
    """Return the storage's part of a configuration: the same directory is the same store."""
    if _chosen == "default":
        return {"filesystem": {"rootdirectory": str(directory)}}
    driver, section = _store(str(directory))
    return {driver: section, "redirect": {"disable": True}}


def _store(root: str) -> tuple[str, dict[str, Any]]:
    """Return the name of the chosen driver and its section for a root of its own in the store."""
    if _chosen == "s3":
        from tests import seaweed

        return _chosen, seaweed.shared().section(root)
    from tests import azurite

    return _chosen, azurite.shared().section(root)


def _built(name: str, section: dict[str, Any]) -> StorageDriver:
    driver: StorageDriver = plugins.build(plugins.STORAGE_DRIVERS, name, section, key=f"storage.{name}")
    return driver


def run_a_part(name: str) -> None:
    """Run a part of the application's tests over one of NAMES."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--storage-driver", name]
    finished = subprocess.run(
        [*command, "-m", "not soak", *PART], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout[-8000:]
