"""The tree: listing, looking, moving and deleting."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.errors import DriverError, PathNotFound
from registry_wsgi.testing._drivers_case import DriverCase, read, seeded
from registry_wsgi.testing._together import together

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver


class TreeSuite(DriverCase):
    def test_a_list_has_the_direct_children_and_no_grandchildren(self, driver: StorageDriver, ctx: Context) -> None:
        children = [f"/root/directory/{number}" for number in range(12)]
        for child in children[::2]:
            driver.put_content(ctx, child, b"content")
        for child in children[1::2]:
            driver.put_content(ctx, f"{child}/grandchild", b"content")
            driver.put_content(ctx, f"{child}/other/grandchild", b"content")
        driver.put_content(ctx, "/root/directory-2/child", b"content")
        assert sorted(driver.list(ctx, "/root/directory")) == sorted(children)
        assert sorted(driver.list(ctx, "/root")) == ["/root/directory", "/root/directory-2"]
        assert driver.list(ctx, "/") == ["/root"]

    def test_a_long_list_is_complete(self, driver: StorageDriver, ctx: Context) -> None:
        children = [f"/a/{number:04}" for number in range(1100)]
        for child in children:
            driver.put_content(ctx, child, b"", durable=False)
        assert sorted(driver.list(ctx, "/a")) == children

    def test_listing_a_missing_path_is_refused(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/missing-not/a", b"")
        with pytest.raises(PathNotFound, match=driver.name):
            driver.list(ctx, "/missing")

    def test_listing_a_file_is_refused(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a", b"")
        with pytest.raises(PathNotFound):
            driver.list(ctx, "/a")

    def test_stat_tells_of_a_file_and_of_a_directory(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a/b/file", b"content")
        file, directory = driver.stat(ctx, "/a/b/file"), driver.stat(ctx, "/a/b")
        assert (file.path, file.size, file.is_directory) == ("/a/b/file", 7, False)
        assert (directory.path, directory.size, directory.is_directory) == ("/a/b", 0, True)

    def test_the_time_of_a_file_is_now_and_grows_when_it_is_overwritten(
        self, driver: StorageDriver, ctx: Context
    ) -> None:
        before = time.time()
        driver.put_content(ctx, "/a", b"first")
        first = driver.stat(ctx, "/a").modified
        assert before - self.modified_resolution <= first <= time.time() + self.modified_resolution
        time.sleep(self.modified_resolution)
        driver.put_content(ctx, "/a", b"second")
        assert driver.stat(ctx, "/a").modified > first

    def test_stat_of_a_missing_path_is_refused(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a/b", b"")
        for path in ("/missing", "/a/missing", "/a/b/missing"):
            with pytest.raises(PathNotFound, match=driver.name):
                driver.stat(ctx, path)

    def test_a_moved_file_is_at_its_target_alone(self, driver: StorageDriver, ctx: Context) -> None:
        content = seeded(100_000)
        driver.put_content(ctx, "/source/a", content)
        driver.move(ctx, "/source/a", "/target/new/parents/b")
        assert driver.get_content(ctx, "/target/new/parents/b") == content
        with pytest.raises(PathNotFound):
            driver.get_content(ctx, "/source/a")

    def test_a_moved_file_replaces_the_target(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/source", b"new")
        driver.put_content(ctx, "/target", b"older and longer")
        driver.move(ctx, "/source", "/target")
        assert driver.get_content(ctx, "/target") == b"new"
        assert driver.list(ctx, "/") == ["/target"]

    def test_moving_a_missing_file_changes_nothing(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/target", b"kept")
        for target in ("/target", "/new/target"):
            with pytest.raises(PathNotFound, match=driver.name) as caught:
                driver.move(ctx, "/missing/source", target)
            assert caught.value.path == "/missing/source"
        assert driver.get_content(ctx, "/target") == b"kept"
        assert driver.list(ctx, "/") == ["/target"]

    def test_nothing_moves_from_below_a_file(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/file", b"kept")
        with pytest.raises(DriverError):
            driver.move(ctx, "/file/source", "/file/target")
        assert driver.get_content(ctx, "/file") == b"kept"

    def test_nothing_moves_to_below_a_file_or_onto_a_directory(self, driver: StorageDriver, ctx: Context) -> None:
        if not self.has_directories:
            pytest.skip("the store has no directories")
        driver.put_content(ctx, "/a/file", b"kept")
        driver.put_content(ctx, "/source", b"source")
        for target in ("/a/file/target", "/a/file/deeper/target", "/a"):
            with pytest.raises(DriverError):
                driver.move(ctx, "/source", target)
        assert driver.get_content(ctx, "/a/file") == b"kept"
        assert driver.get_content(ctx, "/source") == b"source"

    def test_a_target_is_replaced_in_one_step(self, driver: StorageDriver, ctx: Context) -> None:
        contents = [seeded(200_000, number) for number in range(3)]
        driver.put_content(ctx, "/target", contents[0])
        done = threading.Event()

        def replace() -> None:
            try:
                for number in range(90):
                    driver.put_content(ctx, "/source", contents[number % 3], durable=False)
                    driver.move(ctx, "/source", "/target")
            finally:
                done.set()

        def look() -> None:
            while not done.is_set():
                assert driver.get_content(ctx, "/target") in contents
                assert read(driver, ctx, "/target") in contents

        together(replace, look, look)

    def test_a_deleted_file_is_gone_at_once(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a/b", b"content")
        driver.put_content(ctx, "/a/c", b"content")
        driver.delete(ctx, "/a/b")
        for look in (driver.get_content, driver.reader, driver.stat, driver.delete):
            with pytest.raises(PathNotFound):
                look(ctx, "/a/b")
        assert driver.list(ctx, "/a") == ["/a/c"]

    def test_a_deleted_directory_is_gone_at_once_with_all_below(self, driver: StorageDriver, ctx: Context) -> None:
        below = ["/a/b/1", "/a/b/2", "/a/b/c/3", "/a/b/c/d/e/4"]
        for path in [*below, "/a/kept"]:
            driver.put_content(ctx, path, b"content")
        driver.delete(ctx, "/a/b")
        for path in [*below, "/a/b", "/a/b/c", "/a/b/c/d"]:
            with pytest.raises(PathNotFound):
                driver.stat(ctx, path)
        assert driver.list(ctx, "/a") == ["/a/kept"]

    def test_a_file_can_be_put_again_after_its_directory_was_deleted(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a/b/old", b"old")
        driver.delete(ctx, "/a/b")
        driver.put_content(ctx, "/a/b/new", b"new")
        assert driver.list(ctx, "/a/b") == ["/a/b/new"]

    def test_deleting_a_missing_path_is_refused(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a/b", b"")
        for path in ("/missing", "/a/missing", "/a/b/missing"):
            with pytest.raises(PathNotFound, match=driver.name) as caught:
                driver.delete(ctx, path)
            assert caught.value.path == path

    def test_a_delete_leaves_paths_that_only_begin_alike(self, driver: StorageDriver, ctx: Context) -> None:
        alike = ["/ab", "/a-b", "/a.b/c", "/a_", "/A"]
        for path in ["/a/file", *alike]:
            driver.put_content(ctx, path, b"kept")
        driver.delete(ctx, "/a")
        for path in alike:
            assert driver.get_content(ctx, path) == b"kept"
        driver.delete(ctx, "/a-b")
        assert driver.get_content(ctx, "/ab") == b"kept"

    def test_a_directory_is_seen_whole_until_it_is_deleted(self, driver: StorageDriver, ctx: Context) -> None:
        if not self.has_directories:
            pytest.skip("the store has no directories")
        whole = [f"/a/{number}" for number in range(100)]
        for path in whole:
            driver.put_content(ctx, path, b"", durable=False)
        seen: list[list[str]] = []

        def look() -> None:
            try:
                while True:
                    seen.append(sorted(driver.list(ctx, "/a")))
            except PathNotFound:
                return

        def delete() -> None:
            time.sleep(0.01)
            driver.delete(ctx, "/a")

        together(look, look, delete)
        assert all(names == sorted(whole) for names in seen)
        assert driver.list(ctx, "/") == []

    @pytest.mark.parametrize("seed", range(4))
    def test_any_sequence_of_operations_ends_as_in_a_table(
        self, driver: StorageDriver, ctx: Context, seed: int
    ) -> None:
        chance = random.Random(seed)  # noqa: S311 - repeatable, and no secret
        table: dict[str, bytes] = {}
        for _ in range(150):
            path, other = (f"/{chance.choice('ab')}/{chance.choice('cd')}/{chance.choice('efg')}" for _ in range(2))
            match chance.randrange(5):
                case 0 | 1:
                    table[path] = chance.randbytes(chance.choice([0, 1, 5000]))
                    driver.put_content(ctx, path, table[path], durable=False)
                case 2 if path in table:
                    driver.move(ctx, path, other)
                    table[other] = table.pop(path)
                case 3 if path in table:
                    driver.delete(ctx, path)
                    del table[path]
                case 4 if any(known.startswith(path[:2] + "/") for known in table):
                    driver.delete(ctx, path[:2])
                    table = {known: content for known, content in table.items() if known[:2] != path[:2]}
        assert {path: driver.get_content(ctx, path) for path in self._files(driver, ctx, "/")} == table

    def _files(self, driver: StorageDriver, ctx: Context, path: str) -> list[str]:
        """Return the paths of all files below the directory."""
        files = []
        for child in driver.list(ctx, path):
            try:
                files += self._files(driver, ctx, child) if driver.stat(ctx, child).is_directory else [child]
            except PathNotFound:
                # A store without directories may show one for a while after the last file went out of it.
                assert not self.has_directories
        return files
