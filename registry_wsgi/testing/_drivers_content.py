"""Whole contents: what is put is read back, all of it or nothing, whoever else reads and writes."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.errors import DriverError, PathNotFound
from registry_wsgi.testing._drivers_case import DriverCase, read, seeded
from registry_wsgi.testing._together import together

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver

CONTENTS = {
    "none": b"",
    "one byte": b"a",
    "text of another alphabet": "\N{LATIN SMALL LETTER SHARP S}\N{SNOWMAN}".encode(),
    "no UTF-8": b"\x80\x80\x80\x80",
    "NUL and line ends": b"\0\r\n\n\r\0",
    "32 bytes": seeded(32),
    "one less than a power of two": seeded(2**16 - 1),
    "a power of two": seeded(2**16),
    "one MB": seeded(1024 * 1024),
}
SIZE = 300_000
ROUNDS = 40


class ContentSuite(DriverCase):
    @pytest.mark.parametrize("durable", [True, False], ids=["durable", "not durable"])
    @pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
    def test_what_is_put_is_read_back(self, driver: StorageDriver, ctx: Context, content: bytes, durable: bool) -> None:
        driver.put_content(ctx, "/a/b", content, durable=durable)
        assert driver.get_content(ctx, "/a/b") == content
        assert read(driver, ctx, "/a/b") == content
        assert driver.stat(ctx, "/a/b").size == len(content)

    def test_a_shorter_content_replaces_a_longer_one_whole(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a", seeded(1024 * 1024))
        driver.put_content(ctx, "/a", b"short")
        assert driver.get_content(ctx, "/a") == b"short"

    def test_getting_a_missing_path_is_refused(self, driver: StorageDriver, ctx: Context) -> None:
        with pytest.raises(PathNotFound, match=driver.name) as caught:
            driver.get_content(ctx, "/missing/path")
        assert caught.value.path == "/missing/path"

    def test_a_directory_has_no_content(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a/b/c", b"content")
        with pytest.raises(PathNotFound):
            driver.get_content(ctx, "/a/b")

    def test_nothing_is_below_a_file(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/file", b"content")
        for look in (driver.get_content, driver.reader, driver.stat, driver.list, driver.delete):
            with pytest.raises(PathNotFound):
                look(ctx, "/file/below")

    def test_a_failed_put_leaves_nothing_new(self, driver: StorageDriver, ctx: Context) -> None:
        if not self.has_directories:
            pytest.skip("the store has no directories")
        driver.put_content(ctx, "/a/file", b"content")
        for path in ("/a", "/a/file/below", "/a/file/below/deeper"):
            with pytest.raises(DriverError):
                driver.put_content(ctx, path, b"new")
        assert driver.list(ctx, "/") == ["/a"]
        assert driver.list(ctx, "/a") == ["/a/file"]
        assert driver.get_content(ctx, "/a/file") == b"content"

    def test_a_reader_sees_all_or_nothing_of_an_overwrite(self, driver: StorageDriver, ctx: Context) -> None:
        """Also a stream that was opened before: what it gives is of one content, not of two."""
        contents = {seeded(SIZE, 1), seeded(SIZE // 2, 2), b"small"}
        driver.put_content(ctx, "/a/b", b"small")
        done = threading.Event()

        def overwrite() -> None:
            try:
                for _ in range(ROUNDS):
                    for content in contents:
                        driver.put_content(ctx, "/a/b", content, durable=False)
            finally:
                done.set()

        def get() -> None:
            while not done.is_set():
                assert driver.get_content(ctx, "/a/b") in contents

        def stream() -> None:
            while not done.is_set():
                assert read(driver, ctx, "/a/b") in contents

        together(overwrite, get, get, stream, stream)

    def test_a_reader_sees_all_or_nothing_of_a_first_write(self, driver: StorageDriver, ctx: Context) -> None:
        content = seeded(SIZE)
        done = threading.Event()

        def create() -> None:
            try:
                for number in range(ROUNDS):
                    driver.put_content(ctx, f"/new/{number}", content, durable=False)
            finally:
                done.set()

        def get() -> None:
            for number in range(ROUNDS):
                while not done.is_set():
                    try:
                        assert driver.get_content(ctx, f"/new/{number}") == content
                        break
                    except PathNotFound:
                        continue

        together(create, get, get)

    def test_a_list_shows_no_names_but_those_that_were_put(self, driver: StorageDriver, ctx: Context) -> None:
        paths = {f"/a/{number}" for number in range(ROUNDS)}
        content = seeded(SIZE)
        done = threading.Event()

        def put() -> None:
            try:
                for path in sorted(paths):
                    driver.put_content(ctx, path, content)
            finally:
                done.set()

        def look() -> None:
            while not done.is_set():
                if driver.list(ctx, "/"):
                    assert set(driver.list(ctx, "/a")) <= paths

        together(put, look)
        assert sorted(driver.list(ctx, "/a")) == sorted(paths)

    def test_of_concurrent_writers_of_one_path_one_wins_whole(self, driver: StorageDriver, ctx: Context) -> None:
        contents = [seeded(SIZE + number, number) for number in range(8)]

        def put(content: bytes) -> None:
            for _ in range(5):
                driver.put_content(ctx, "/a/b", content, durable=False)
                assert driver.get_content(ctx, "/a/b") in contents

        together(*(partial(put, content) for content in contents))
        assert driver.get_content(ctx, "/a/b") in contents
        assert driver.list(ctx, "/a") == ["/a/b"]

    def test_many_can_make_the_same_parents_at_once(self, driver: StorageDriver, ctx: Context) -> None:
        for number in range(10):
            parent = f"/{number}/a/b/c/d/e/f"
            paths = [f"{parent}/{name}" for name in range(8)]
            together(*(partial(driver.put_content, ctx, path, b"", durable=False) for path in paths))
            assert sorted(driver.list(ctx, parent)) == paths

    def test_a_directory_that_others_keep_deleting_can_be_written_into(
        self, driver: StorageDriver, ctx: Context
    ) -> None:
        done = threading.Event()

        def put() -> None:
            try:
                for number in range(200):
                    driver.put_content(ctx, f"/a/b/c/{number}", b"content", durable=False)
            finally:
                done.set()

        def delete() -> None:
            while not done.is_set():
                try:
                    driver.delete(ctx, "/a")
                except PathNotFound:
                    continue

        together(put, put, delete)
        driver.put_content(ctx, "/a/b/c/last", b"content")
        assert driver.get_content(ctx, "/a/b/c/last") == b"content"

    def test_another_driver_over_the_same_store_sees_what_was_put(
        self, driver: StorageDriver, other_driver: StorageDriver, ctx: Context
    ) -> None:
        driver.put_content(ctx, "/a/b", b"first")
        assert other_driver.get_content(ctx, "/a/b") == b"first"
        other_driver.put_content(ctx, "/a/b", b"second")
        assert driver.get_content(ctx, "/a/b") == b"second"
        other_driver.delete(ctx, "/a")
        with pytest.raises(PathNotFound):
            driver.get_content(ctx, "/a/b")
