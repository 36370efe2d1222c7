"""The ability to list in order: pages of a directory, of drivers that have it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.errors import InvalidPath, PathNotFound
from registry_wsgi.interfaces import OrderedLister
from registry_wsgi.testing._drivers_case import DriverCase
from registry_wsgi.testing._drivers_paths import REFUSED

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver

FILES = ["-", "0", "A", "Z", "_", "_a", "a", "a-", "a-b", "a.b", "a0", "aa", "b", "z", "z..", "z.z"]
DIRECTORIES = ["0.0", "B", "_b", "c", "c-b", "c.b", "c0", "cc", "c_"]
NAMES = sorted([*FILES, *DIRECTORIES])
AFTER = [
    "",
    "\0",
    "!",
    " ",
    "-",
    "1",
    "_",
    "`",
    "a",
    "a/",
    "a/b",
    "a!",
    "c/",
    "zz",
    "~",
    "\N{SNOWMAN}",
    "a" * 300,
    "..",
]


class PagesSuite(DriverCase):
    @pytest.fixture
    def lister(self, driver: StorageDriver) -> OrderedLister:
        if not isinstance(driver, OrderedLister):
            pytest.skip("the driver does not list in order")
        return driver

    @pytest.mark.parametrize("limit", range(1, len(NAMES) + 2))
    def test_pages_make_up_the_names_in_byte_order(
        self, lister: OrderedLister, driver: StorageDriver, ctx: Context, limit: int
    ) -> None:
        _fill(driver, ctx)
        pages: list[str] = []
        while page := lister.list_after(ctx, "/root/d", pages[-1] if pages else "", limit):
            assert len(page) == min(limit, len(NAMES) - len(pages))
            pages += page
        assert pages == NAMES

    @pytest.mark.parametrize("after", AFTER, ids=ascii)
    def test_a_page_goes_on_after_any_text(
        self, lister: OrderedLister, driver: StorageDriver, ctx: Context, after: str
    ) -> None:
        _fill(driver, ctx)
        assert lister.list_after(ctx, "/root/d", after, 100) == [name for name in NAMES if name > after]

    def test_the_root_has_pages_too(self, lister: OrderedLister, driver: StorageDriver, ctx: Context) -> None:
        assert lister.list_after(ctx, "/", "", 10) == []
        for path in ("/b", "/a/b", "/c"):
            driver.put_content(ctx, path, b"")
        assert lister.list_after(ctx, "/", "a", 1) == ["b"]

    def test_a_missing_path_and_a_file_have_no_pages(
        self, lister: OrderedLister, driver: StorageDriver, ctx: Context
    ) -> None:
        driver.put_content(ctx, "/a/file", b"")
        for path in ("/missing", "/a/missing", "/a/file", "/a/file/below"):
            with pytest.raises(PathNotFound, match=driver.name):
                lister.list_after(ctx, path, "", 10)

    @pytest.mark.parametrize("path", REFUSED, ids=ascii)
    def test_pages_of_an_invalid_path_are_refused(self, lister: OrderedLister, ctx: Context, path: str) -> None:
        with pytest.raises(InvalidPath) as caught:
            lister.list_after(ctx, path, "", 10)
        assert caught.value.path == path

    def test_a_page_shows_every_change_at_once(
        self, lister: OrderedLister, driver: StorageDriver, ctx: Context
    ) -> None:
        _change_and_look([driver], lister, ctx)

    def test_a_page_shows_every_change_of_another_driver_at_once(
        self, lister: OrderedLister, driver: StorageDriver, other_driver: StorageDriver, ctx: Context
    ) -> None:
        _change_and_look([other_driver, driver], lister, ctx)

    def test_a_directory_that_is_made_anew_has_new_pages(
        self, lister: OrderedLister, driver: StorageDriver, ctx: Context
    ) -> None:
        for name in ("old", "new"):
            names = [f"{name}{number:03}" for number in range(300)]
            for each in names:
                driver.put_content(ctx, f"/a/b/{each}/file", b"", durable=False)
            assert lister.list_after(ctx, "/a/b", f"{name}297", 10) == names[298:]
            driver.delete(ctx, "/a/b")
            with pytest.raises(PathNotFound):
                lister.list_after(ctx, "/a/b", "", 10)


def _fill(driver: StorageDriver, ctx: Context) -> None:
    for name in FILES:
        driver.put_content(ctx, f"/root/d/{name}", b"", durable=False)
    for name in DIRECTORIES:
        driver.put_content(ctx, f"/root/d/{name}/file", b"", durable=False)
        driver.put_content(ctx, f"/root/d/{name}/other/file", b"", durable=False)
    driver.put_content(ctx, "/root/d-sibling/file", b"", durable=False)


def _change_and_look(drivers: list[StorageDriver], lister: OrderedLister, ctx: Context) -> None:
    """Change a directory that is worth remembering, and look after every change."""
    chance = random.Random(0)  # noqa: S311 - repeatable, and no secret
    names = {f"{number:03}" for number in range(300)}
    for name in names:
        drivers[0].put_content(ctx, f"/d/{name}/file", b"", durable=False)
    for step in range(100):
        driver, name = chance.choice(drivers), f"{chance.randrange(400):03}"
        if name in names:
            driver.delete(ctx, f"/d/{name}")
        elif step % 2:
            driver.put_content(ctx, f"/d/{name}/file", b"", durable=False)
        else:
            driver.put_content(ctx, f"/moved/{name}", b"", durable=False)
            driver.move(ctx, f"/moved/{name}", f"/d/{name}")
        names ^= {name}
        after = f"{chance.randrange(400):03}"
        assert lister.list_after(ctx, "/d", after, 50) == sorted(each for each in names if each > after)[:50]
    assert lister.list_after(ctx, "/d", "", 1000) == sorted(names)
