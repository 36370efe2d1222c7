"""Which paths a storage driver takes, and that all its methods refuse the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from registry_wsgi.errors import InvalidPath
from registry_wsgi.testing._drivers_case import DriverCase

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver

    Call = Callable[[StorageDriver, Context, str], object]

# The paths of the suite of distribution 2.8.
VALID = [
    "/a",
    "/2",
    "/aa",
    "/a.a",
    "/0-9/abcdefg",
    "/abcdefg/z.75",
    "/abc/1.2.3.4.5-6_zyx/123.z/4",
    "/docker/docker-registry",
    "/123.abc",
    "/abc./abc",
    "/.abc",
    "/a--b",
    "/a-.b",
    "/_.abc",
    "/Docker/docker-registry",
    "/Abc/Cba",
]
UNUSUAL = [
    "/...",
    "/..a",
    "/a..",
    "/-",
    "/_/_",
    "/" + "n" * 255,
    "/" + "/".join("deep" for _ in range(60)),
]
MALFORMED = ["", "abc", "123.abc", "//bcd", "/abc_123/", "a/b", "/a//b", "//"]
TRAVERSING = ["/..", "/.", "/../a", "/a/..", "/a/../b", "/a/./b", "/a/.", "/./a", "/a/../../etc/passwd"]
FOREIGN = [
    "/a\0",
    "/a\0b",
    "/\0",
    "/a\n",
    "/a\nb",
    "/a\r",
    "/a b",
    "/a~",
    "/~a",
    "/a%2e",
    "/a\\b",
    "/a:b",
    "/ä",
    "/a/٣",
]
REFUSED = [*MALFORMED, *TRAVERSING, *FOREIGN, "/\N{FULLWIDTH FULL STOP}\N{FULLWIDTH FULL STOP}/a", "/\udc80"]

LOOKING: dict[str, Call] = {
    "list": lambda driver, ctx, path: driver.list(ctx, path),
    "stat": lambda driver, ctx, path: driver.stat(ctx, path),
}
TOUCHING: dict[str, Call] = {
    "get_content": lambda driver, ctx, path: driver.get_content(ctx, path),
    "put_content": lambda driver, ctx, path: driver.put_content(ctx, path, b""),
    "reader": lambda driver, ctx, path: driver.reader(ctx, path),
    "writer": lambda driver, ctx, path: driver.writer(ctx, path),
    "writer appending": lambda driver, ctx, path: driver.writer(ctx, path, append=True),
    "move from": lambda driver, ctx, path: driver.move(ctx, path, "/target"),
    "move to": lambda driver, ctx, path: driver.move(ctx, "/kept", path),
    "delete": lambda driver, ctx, path: driver.delete(ctx, path),
}
ALL = LOOKING | TOUCHING


class PathsSuite(DriverCase):
    def test_the_driver_has_a_name(self, driver: StorageDriver) -> None:
        assert isinstance(driver.name, str)
        assert driver.name

    @pytest.mark.parametrize("path", [*VALID, *UNUSUAL])
    def test_a_valid_path_can_be_written_read_and_deleted(self, driver: StorageDriver, ctx: Context, path: str) -> None:
        driver.put_content(ctx, path, b"content")
        assert driver.get_content(ctx, path) == b"content"
        assert driver.list(ctx, path.rpartition("/")[0] or "/") == [path]
        driver.delete(ctx, path)

    @pytest.mark.parametrize("path", REFUSED, ids=ascii)
    @pytest.mark.parametrize("method", ALL)
    def test_an_invalid_path_is_refused_by_every_method(
        self, driver: StorageDriver, ctx: Context, method: str, path: str
    ) -> None:
        driver.put_content(ctx, "/kept", b"kept")
        with pytest.raises(InvalidPath) as caught:
            ALL[method](driver, ctx, path)
        assert caught.value.path == path
        assert caught.value.driver == driver.name
        assert driver.name in str(caught.value)
        assert driver.list(ctx, "/") == ["/kept"]
        assert driver.get_content(ctx, "/kept") == b"kept"

    @pytest.mark.parametrize("method", TOUCHING)
    def test_the_root_is_refused_by_every_method_but_list_and_stat(
        self, driver: StorageDriver, ctx: Context, method: str
    ) -> None:
        driver.put_content(ctx, "/kept", b"kept")
        with pytest.raises(InvalidPath, match=driver.name):
            TOUCHING[method](driver, ctx, "/")
        assert driver.get_content(ctx, "/kept") == b"kept"

    def test_the_root_can_be_listed_before_anything_is_stored(self, driver: StorageDriver, ctx: Context) -> None:
        assert driver.list(ctx, "/") == []

    def test_the_root_is_a_directory(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a", b"content")
        found = driver.stat(ctx, "/")
        assert (found.path, found.size, found.is_directory) == ("/", 0, True)

    def test_the_root_lists_exactly_what_was_stored_and_nothing_once_it_is_deleted(
        self, driver: StorageDriver, ctx: Context
    ) -> None:
        driver.put_content(ctx, "/first/a/b", b"")
        driver.put_content(ctx, "/second", b"")
        assert sorted(driver.list(ctx, "/")) == ["/first", "/second"]
        driver.delete(ctx, "/first")
        driver.delete(ctx, "/second")
        assert driver.list(ctx, "/") == []
