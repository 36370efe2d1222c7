"""Streams out of the store."""

from __future__ import annotations

import io
import random
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.errors import InvalidOffset, PathNotFound
from registry_wsgi.testing._drivers_case import DriverCase, read, seeded
from registry_wsgi.testing._together import together

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver

CHUNK = 32
CONTENT = seeded(3 * CHUNK)


class ReadersSuite(DriverCase):
    @pytest.mark.parametrize("offset", [0, 1, CHUNK, 2 * CHUNK, 3 * CHUNK - 1])
    def test_a_reader_begins_at_its_offset(self, driver: StorageDriver, ctx: Context, offset: int) -> None:
        driver.put_content(ctx, "/a/b", CONTENT)
        assert read(driver, ctx, "/a/b", offset) == CONTENT[offset:]

    @pytest.mark.parametrize("beyond", [0, 1, CHUNK, 2**31, 2**40, 2**62, 2**64])
    def test_a_reader_at_or_past_the_end_is_empty(self, driver: StorageDriver, ctx: Context, beyond: int) -> None:
        driver.put_content(ctx, "/a/b", CONTENT)
        with closing(driver.reader(ctx, "/a/b", len(CONTENT) + beyond)) as reader:
            assert reader.read(1) == b""
            assert reader.read() == b""

    @pytest.mark.parametrize("offset", [-1, -(2**64)])
    def test_a_negative_offset_is_refused(self, driver: StorageDriver, ctx: Context, offset: int) -> None:
        driver.put_content(ctx, "/a/b", CONTENT)
        with pytest.raises(InvalidOffset, match=driver.name) as caught:
            driver.reader(ctx, "/a/b", offset)
        assert (caught.value.path, caught.value.offset) == ("/a/b", offset)

    def test_reading_a_missing_path_is_refused(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a/b", CONTENT)
        for path in ("/missing", "/a/missing", "/a"):
            for offset in (0, 5):
                with pytest.raises(PathNotFound, match=driver.name):
                    driver.reader(ctx, path, offset)

    def test_a_reader_seeks_from_the_start_from_where_it_is_and_from_the_end(
        self, driver: StorageDriver, ctx: Context
    ) -> None:
        driver.put_content(ctx, "/a/b", CONTENT)
        with closing(driver.reader(ctx, "/a/b", 10)) as reader:
            assert reader.seek(5) == 5
            assert reader.read(3) == CONTENT[5:8]
            assert reader.seek(2, io.SEEK_CUR) == 10
            assert reader.read(3) == CONTENT[10:13]
            assert reader.seek(-4, io.SEEK_END) == len(CONTENT) - 4
            assert reader.read(10) == CONTENT[-4:]
            assert reader.read(10) == b""
            assert reader.seek(0) == 0
            assert reader.read(len(CONTENT) + 1) == CONTENT

    def test_a_reader_fills_a_buffer_and_leaves_the_rest_of_it(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a/b", CONTENT)
        buffer = bytearray(b"." * CHUNK)
        with closing(driver.reader(ctx, "/a/b", len(CONTENT) - 10)) as reader:
            assert reader.readinto(memoryview(buffer)) == 10
            assert reader.readinto(memoryview(buffer)[10:]) == 0
        assert bytes(buffer) == CONTENT[-10:] + b"." * (CHUNK - 10)

    def test_a_reader_may_be_closed_twice(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a/b", CONTENT)
        reader = driver.reader(ctx, "/a/b")
        reader.close()
        reader.close()

    def test_an_empty_file_has_an_empty_stream(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a/b", b"")
        assert read(driver, ctx, "/a/b") == b""

    def test_a_stream_that_was_opened_outlives_the_file(self, driver: StorageDriver, ctx: Context) -> None:
        content = seeded(3_000_000)
        for end in (
            partial(driver.put_content, ctx, "/a/b", b"another"),
            partial(driver.delete, ctx, "/a/b"),
            partial(driver.delete, ctx, "/a"),
        ):
            driver.put_content(ctx, "/a/b", content, durable=False)
            with closing(driver.reader(ctx, "/a/b")) as reader:
                start = reader.read(1000)
                end()
                parts = iter(partial(reader.read, 100_000), b"")
                assert start + b"".join(parts) == content

    def test_ten_readers_at_any_offsets_of_one_file_do_not_disturb_each_other(
        self, driver: StorageDriver, ctx: Context
    ) -> None:
        self._read_at_any_offsets(driver, ctx, size=8 * 2**20)

    @pytest.mark.soak
    def test_ten_readers_at_any_offsets_of_a_large_file_do_not_disturb_each_other(
        self, driver: StorageDriver, ctx: Context
    ) -> None:
        self._read_at_any_offsets(driver, ctx, size=128 * 2**20)

    @staticmethod
    def _read_at_any_offsets(driver: StorageDriver, ctx: Context, size: int) -> None:
        content = seeded(size)
        driver.put_content(ctx, "/a/b", content)

        def check(seed: int) -> None:
            offset = random.Random(seed).randrange(size)  # noqa: S311 - repeatable, and no secret
            assert read(driver, ctx, "/a/b", offset) == content[offset:]

        together(*(partial(check, seed) for seed in range(10)))
