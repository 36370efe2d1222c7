"""What a page of 100 out of 100,000 costs: directory entries read and names listed, counted and not timed.

The 100,000 names are links to empty files except for those that a page is about, which are repositories: what is not
in the page is a name and no more, and making it should not cost a directory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.context import Context
from registry_wsgi.drivers import memory
from registry_wsgi.drivers.filesystem import FilesystemDriver
from registry_wsgi.drivers.inmemory import InMemoryDriver
from registry_wsgi.storage import paths
from tests.stack import CountingDriver, stack_over

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webtest import TestApp

CTX = Context()
MANY = 100_000
NAMES = [f"n{number:06}" for number in range(MANY)]
REPOSITORIES = range(49_900, 50_200)
PAGE = slice(50_000, 50_100)
NEXT = f"n=100&last={NAMES[49_999]}"
CATALOG, TAGS = f"/v2/_catalog?{NEXT}", f"/v2/{NAMES[49_900]}/tags/list?{NEXT}"
OF_TAGS = paths.tags(NAMES[49_900])
LISTED_FIRST = 128
"""The children that the catalog asks for first, where it needs 101."""
ANOTHER_PROCESS = """
import sys
from registry_wsgi.context import Context
from registry_wsgi.drivers.filesystem import FilesystemDriver
root, method, path, *content = sys.argv[1:]
getattr(FilesystemDriver(rootdirectory=root), method)(Context(), path, *(each.encode() for each in content))
"""


def by_another_process(root: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-c", ANOTHER_PROCESS, root, *arguments], check=True)


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    # A disk takes its time over so many names.
    with TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as root:
        for number in REPOSITORIES:
            os.makedirs(f"{root}{paths.layers(NAMES[number])}")
        os.makedirs(f"{root}{OF_TAGS}")
        for number in range(16):  # One file has 65,000 names at most, on ext4.
            os.mknod(f"{root}/file{number}")
        for directory, taken in ((paths.REPOSITORIES, REPOSITORIES), (OF_TAGS, ())):
            for number, name in enumerate(NAMES):
                if number not in taken:
                    os.link(f"{root}/file{number % 16}", f"{root}{directory}/{name}")
        yield root


@pytest.fixture
def driver(root: str) -> CountingDriver:
    for path in (paths.REPOSITORIES, OF_TAGS):
        settled(root, path)
    return CountingDriver(FilesystemDriver(rootdirectory=root))


@pytest.fixture
def app(driver: CountingDriver) -> TestApp:
    return stack_over(driver)


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of entries that were read of each directory, in their order."""
    taken: list[int] = []
    real = os.listdir

    def listdir(directory: int) -> list[str]:
        names = real(directory)
        taken.append(len(names))
        return names

    monkeypatch.setattr(os, "listdir", listdir)
    monkeypatch.delattr(os, "scandir")
    return taken


def settled(root: str, path: str) -> None:
    """Make the last change of a directory one of some time ago."""
    before = time.time() - 60
    os.utime(f"{root}{path}", (before, before))


def test_a_page_of_tags_reads_no_entry_of_a_directory_that_is_known(
    app: TestApp, driver: CountingDriver, entries: list[int]
) -> None:
    assert app.get(TAGS).json["tags"] == NAMES[PAGE]
    assert entries == [MANY]
    assert (driver.taken(), driver.listed) == (["list_after tags"], 101)
    for _ in range(3):
        assert app.get(TAGS).json["tags"] == NAMES[PAGE]
    assert entries == [MANY]
    assert driver.listed == 4 * 101


def test_a_page_of_the_catalog_reads_the_directories_in_it_and_no_others(
    app: TestApp, driver: CountingDriver, entries: list[int]
) -> None:
    before = ["list_after n049999"]  # It may have repositories below it, which come next.
    shown = [f"list_after {name}" for name in NAMES[50_000:50_101]]
    for cold in (True, False):
        assert app.get(CATALOG).json["repositories"] == NAMES[PAGE]
        # Each repository has one entry: `_layers`.
        assert entries == [1] + [MANY] * cold + [1] * 101
        assert driver.taken() == [*before, "list_after repositories", *shown]
        assert driver.listed == 1 + LISTED_FIRST + 101
        entries.clear()
        driver.listed = 0


def test_the_last_page_costs_what_is_in_it(app: TestApp, driver: CountingDriver, entries: list[int]) -> None:
    app.get(TAGS)
    driver.listed = 0
    assert app.get(TAGS.replace(NAMES[49_999], NAMES[-3])).json["tags"] == NAMES[-2:]
    assert driver.listed == 2
    assert entries == [MANY]


def test_a_change_by_another_process_is_in_the_next_page(app: TestApp, root: str, entries: list[int]) -> None:
    app.get(TAGS)
    app.get(CATALOG)
    tag, name = f"{OF_TAGS}/n050000-new", f"{NAMES[50_000]}-new"
    expected = [NAMES[50_000], "n050000-new", *NAMES[50_001:50_099]]
    by_another_process(root, "put_content", f"{tag}/current/link", "digest")
    by_another_process(root, "put_content", f"{paths.layers(name)}/sha256/link", "digest")
    assert app.get(TAGS).json["tags"] == expected
    assert app.get(CATALOG).json["repositories"] == expected
    by_another_process(root, "delete", tag)
    by_another_process(root, "delete", paths.repository(name))
    assert app.get(TAGS).json["tags"] == NAMES[PAGE]
    assert app.get(CATALOG).json["repositories"] == NAMES[PAGE]
    # Once it has settled it is read once more, and known again.
    settled(root, OF_TAGS)
    app.get(TAGS)
    entries.clear()
    assert app.get(TAGS).json["tags"] == NAMES[PAGE]
    assert entries == []


def test_pages_in_memory_sort_a_directory_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = InMemoryDriver()
    for name in NAMES:
        stored.put_content(CTX, f"{paths.layers(name)}/link", b"")
        stored.put_content(CTX, f"{OF_TAGS}/{name}", b"")
    driver = CountingDriver(stored)
    app = stack_over(driver)
    sizes: list[int] = []
    monkeypatch.setattr(memory, "sorted", lambda names: (sizes.append(len(names)), sorted(names))[1], raising=False)
    for _ in range(2):
        assert app.get(TAGS).json["tags"] == NAMES[PAGE]
        assert driver.listed == 101
        assert app.get(CATALOG).json["repositories"] == NAMES[PAGE]
        assert driver.listed == 101 + 1 + LISTED_FIRST + 101
        driver.listed = 0
    driver.put_content(CTX, f"{OF_TAGS}/n050000-new", b"")
    assert app.get(TAGS).json["tags"][:2] == ["n050000", "n050000-new"]
    assert sorted(sizes, reverse=True)[:3] == [MANY, MANY, 1]
