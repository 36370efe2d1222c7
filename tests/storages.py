"""The storage that the application's tests run on: memory and a directory, or with `--storage-driver` a store.

`s3` is a bucket in SeaweedFS, `azure` a container in Azurite. Clients are not redirected there: what the tests hold is
what the registry itself answers. Tests that are about one driver, or about redirects, name it themselves.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from registry_wsgi import plugins
from registry_wsgi.context import Context
from registry_wsgi.errors import PathNotFound
from tests.waiting import SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from registry_wsgi.interfaces import StorageDriver

NAMES = ("default", "s3", "azure")
PROJECT = Path(__file__).parents[1]
PART = ("tests/api/test_resuming.py", "tests/api/test_mounting.py")
"""What `make test` runs over each store; `make test-stores` runs all."""

_chosen = "default"
_numbers = itertools.count()


def choose(name: str) -> None:
    """Take one of NAMES for all tests of this process, before any of them is imported."""
    global _chosen  # noqa: PLW0603 - set once, before the first test
    _chosen = name


def is_chosen() -> bool:
    """Return whether the tests run over a store, and not over memory and files."""
    return _chosen != "default"


def start() -> None:
    """Start the chosen store, for those who are going to do something with the time by which it is waited for."""
    if is_chosen():
        _section_of_store("")


def files_only(why: str) -> pytest.MarkDecorator:
    """Mark tests of what a directory has and no object store: they are skipped over one, and say `why`."""
    return pytest.mark.skipif(is_chosen(), reason=f"files only: {why}")


def kinds() -> tuple[str, ...]:
    """Return the names of the drivers over which goes what is true of any: files first, or the chosen store alone."""
    return (_chosen,) if is_chosen() else ("filesystem", "inmemory")


def sampled(count: int) -> int:
    """Return how many random cases to try where `count` are for memory and files: over a store each takes longer."""
    return max(2, count // 5) if is_chosen() else count


def check_seen(condition: Callable[[], bool]) -> None:
    """Hold that what another process deleted is seen: at once, or over a store when links are looked at again.

    That is after a second; with a cache that docker-registry does not tell of its deletes, after a minute.
    """
    if is_chosen():
        until(condition, seconds=2 * SECONDS)
    assert condition()


def section(directory: Path, kind: str = "") -> dict[str, Any]:
    """Return the storage's part of a configuration, of one of `kinds()`: the same directory is the same store.

    That in memory is an empty one each time.
    """
    kind = kind or kinds()[0]
    if kind == "inmemory":
        return {kind: {}}
    if kind == "filesystem":
        return {kind: {"rootdirectory": str(directory)}}
    return {kind: _section_of_store(str(directory)), "redirect": {"disable": True}}


def environment(directory: Path) -> dict[str, str]:
    """Return the variables that put the storage of a configuration there, with deletion on, wherever it has its own."""
    if is_chosen():
        return {"REGISTRY_STORAGE": json.dumps({**section(directory), "delete": {"enabled": True}})}
    return {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(directory)}


def new_section() -> dict[str, Any]:
    """Return the storage's part of a configuration over an empty store, in memory unless a store is chosen."""
    return section(Path(f"new/{next(_numbers)}"), kinds()[-1])


def driver_at(directory: Path, kind: str = "") -> StorageDriver:
    """Return a driver over what a server with `section(directory, kind)` stores."""
    return driver_of(section(directory, kind))


def new_driver() -> StorageDriver:
    """Return a driver over an empty store of its own."""
    return driver_of(new_section())


def children(driver: StorageDriver, path: str) -> list[str]:
    """Return the paths in a directory, none where there is no directory: a store does not keep one that is empty."""
    try:
        return driver.list(Context(), path)
    except PathNotFound:
        return []


def files_at(directory: Path, below: str = "/docker/registry/v2") -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every file that a server with `section(directory)` stores."""
    yield from _files(driver_at(directory), below)


def hand_over(directory: Path) -> None:
    """Have a chosen store hold the files in the directory, where a server with `section(directory)` looks for them."""
    if is_chosen():
        driver, ctx = driver_at(directory), Context()
        for file in directory.rglob("*"):
            if file.is_file():
                driver.put_content(ctx, f"/{file.relative_to(directory)}", file.read_bytes())


def _files(driver: StorageDriver, path: str) -> Iterator[tuple[str, bytes]]:
    ctx = Context()
    for child in children(driver, path):
        try:
            is_directory = driver.stat(ctx, child).is_directory
        except PathNotFound:  # SeaweedFS lists for a while a directory that another program emptied
            continue
        if is_directory:
            yield from _files(driver, child)
        else:
            yield child, driver.get_content(ctx, child)


def _section_of_store(root: str) -> dict[str, Any]:
    """Return the chosen driver's own section, for a root of its own in the store."""
    if _chosen == "s3":
        from tests import seaweed

        return seaweed.shared().section(root)
    from tests import azurite

    return azurite.shared().section(root)


def driver_of(section: dict[str, Any]) -> StorageDriver:
    """Return a driver as a configuration's part `storage` has it, the driver before all else."""
    name, *_ = section
    driver: StorageDriver = plugins.build(plugins.STORAGE_DRIVERS, name, section[name], key=f"storage.{name}")
    return driver


def run_a_part(name: str) -> None:
    """Run a part of the application's tests over one of NAMES."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--storage-driver", name]
    finished = subprocess.run(
        [*command, "-m", "not soak", *PART], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout[-8000:]
