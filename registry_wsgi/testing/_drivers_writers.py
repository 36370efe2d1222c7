"""Streams into the store: written in parts, gone on with by others, one writer at a time."""

from __future__ import annotations

import hashlib
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.errors import DriverError, PathBusy, PathNotFound
from registry_wsgi.testing._drivers_case import DriverCase, read, seeded, write, write_and_commit
from registry_wsgi.testing._together import together

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import FileWriter, StorageDriver

MEBIBYTE = 2**20

USES: dict[str, Callable[[FileWriter], object]] = {
    "write": lambda writer: writer.write(b"late"),
    "flush": lambda writer: writer.flush(),
    "commit": lambda writer: writer.commit(),
    "cancel": lambda writer: writer.cancel(),
}
SETTLING = {name: use for name, use in USES.items() if name != "write"}


class WritersSuite(DriverCase):
    @pytest.mark.parametrize("content", [b"", b"a", b"\x80\x80\x80\x80", seeded(32), seeded(MEBIBYTE)], ids=len)
    def test_what_is_committed_is_read_back(self, driver: StorageDriver, ctx: Context, content: bytes) -> None:
        write_and_commit(driver, ctx, "/a/b/c", content)
        assert driver.get_content(ctx, "/a/b/c") == content
        assert read(driver, ctx, "/a/b/c") == content
        assert driver.stat(ctx, "/a/b/c").size == len(content)

    def test_a_writer_counts_what_it_writes(self, driver: StorageDriver, ctx: Context) -> None:
        with closing(driver.writer(ctx, "/a/b")) as writer:
            assert writer.size == 0
            assert writer.write(b"four") == 4
            assert writer.write(b"") == 0
            assert writer.write(memoryview(b"more than five")[:5]) == 5
            assert writer.size == 9
            writer.commit()
            assert writer.size == 9
        assert driver.get_content(ctx, "/a/b") == b"fourmore "

    def test_a_writer_keeps_no_hold_of_the_callers_buffer(self, driver: StorageDriver, ctx: Context) -> None:
        buffer = bytearray(b"first")
        with closing(driver.writer(ctx, "/a/b")) as writer:
            writer.write(memoryview(buffer))
            buffer[:] = b"second, and longer"
            writer.write(memoryview(buffer)[:6])
            writer.commit()
        assert driver.get_content(ctx, "/a/b") == b"firstsecond"

    def test_a_writer_that_does_not_append_starts_anew(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/put", seeded(1000))
        write(driver, ctx, "/left", seeded(1000))
        write_and_commit(driver, ctx, "/committed", seeded(1000))
        for path in ("/put", "/left", "/committed"):
            with closing(driver.writer(ctx, path)) as writer:
                assert writer.size == 0
                writer.write(b"new")
                writer.commit()
            assert driver.get_content(ctx, path) == b"new"

    @pytest.mark.parametrize("size", [32, 10 * MEBIBYTE], ids=["32 bytes", "10 MiB"])
    def test_later_writers_go_on_where_earlier_ones_ended(self, driver: StorageDriver, ctx: Context, size: int) -> None:
        parts = [seeded(size, 1), seeded(size, 2), seeded(size // 2 + 1, 3)]
        whole = b"".join(parts)
        assert write(driver, ctx, "/a/b", parts[0]) == size
        assert write(driver, ctx, "/a/b", parts[1], append=True) == 2 * size
        with closing(driver.writer(ctx, "/a/b", append=True)) as writer:
            assert writer.size == 2 * size
            writer.write(parts[2])
            assert writer.size == len(whole)
            writer.commit()
        assert driver.get_content(ctx, "/a/b") == whole

    def test_a_writer_goes_on_after_an_empty_one_was_committed(self, driver: StorageDriver, ctx: Context) -> None:
        write_and_commit(driver, ctx, "/a/b", b"")
        assert driver.get_content(ctx, "/a/b") == b""
        write_and_commit(driver, ctx, "/a/b", b"content", append=True)
        assert driver.get_content(ctx, "/a/b") == b"content"

    def test_a_writer_goes_on_after_what_was_put(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a/b", b"put, ")
        write_and_commit(driver, ctx, "/a/b", b"written", append=True)
        assert driver.get_content(ctx, "/a/b") == b"put, written"

    def test_what_was_flushed_is_there_for_the_next_writer(self, driver: StorageDriver, ctx: Context) -> None:
        with closing(driver.writer(ctx, "/a/b")) as writer:
            writer.write(b"one ")
            writer.flush()
            writer.write(b"two ")
            writer.flush()
            writer.flush()
        write_and_commit(driver, ctx, "/a/b", b"three", append=True)
        assert driver.get_content(ctx, "/a/b") == b"one two three"

    def test_appending_to_a_missing_path_is_refused_and_makes_nothing(
        self, driver: StorageDriver, ctx: Context
    ) -> None:
        driver.put_content(ctx, "/kept/file", b"kept")
        for path in ("/missing", "/new/missing", "/kept/missing", "/kept/file/missing", "/kept"):
            with pytest.raises(PathNotFound, match=driver.name):
                driver.writer(ctx, path, append=True)
        assert driver.list(ctx, "/") == ["/kept"]
        assert driver.list(ctx, "/kept") == ["/kept/file"]

    def test_a_writer_cannot_be_had_below_a_file_or_of_a_directory(self, driver: StorageDriver, ctx: Context) -> None:
        if not self.has_directories:
            pytest.skip("the store has no directories")
        driver.put_content(ctx, "/a/file", b"kept")
        for path in ("/a/file/below", "/a"):
            with pytest.raises(DriverError):
                driver.writer(ctx, path)
        assert driver.get_content(ctx, "/a/file") == b"kept"

    @pytest.mark.parametrize("use", USES)
    @pytest.mark.parametrize("end", ["commit", "cancel", "close"])
    def test_a_writer_that_has_ended_refuses_everything_but_close(
        self, driver: StorageDriver, ctx: Context, end: str, use: str
    ) -> None:
        with closing(driver.writer(ctx, "/a/b")) as writer:
            writer.write(b"content")
            getattr(writer, end)()
            with pytest.raises(ValueError, match="already"):
                USES[use](writer)
            writer.close()
            with pytest.raises(ValueError, match="already"):
                USES[use](writer)
        if end == "commit":
            assert driver.get_content(ctx, "/a/b") == b"content"

    def test_a_cancelled_file_is_gone(self, driver: StorageDriver, ctx: Context) -> None:
        write(driver, ctx, "/a/b", b"earlier")
        with closing(driver.writer(ctx, "/a/b", append=True)) as writer:
            writer.write(b"content")
            writer.cancel()
        for look in (driver.get_content, driver.stat, driver.delete):
            with pytest.raises(PathNotFound):
                look(ctx, "/a/b")
        with pytest.raises(PathNotFound):
            driver.writer(ctx, "/a/b", append=True)

    @pytest.mark.parametrize("append", [True, False], ids=["appending", "anew"])
    def test_a_path_has_one_writer_until_it_is_closed(self, driver: StorageDriver, ctx: Context, append: bool) -> None:
        with closing(driver.writer(ctx, "/a/b")) as writer:
            for step in (partial(writer.write, b"content"), writer.flush, writer.commit):
                step()
                with pytest.raises(PathBusy, match=driver.name) as caught:
                    driver.writer(ctx, "/a/b", append=append)
                assert caught.value.path == "/a/b"
        assert driver.get_content(ctx, "/a/b") == b"content"
        with closing(driver.writer(ctx, "/a/b", append=append)) as writer:
            assert writer.size == (7 if append else 0)

    def test_other_paths_can_be_written_meanwhile(self, driver: StorageDriver, ctx: Context) -> None:
        with closing(driver.writer(ctx, "/a/b")) as one, closing(driver.writer(ctx, "/a/c")) as other:
            one.write(b"one")
            other.write(b"other")
            one.commit()
            other.commit()
        assert [driver.get_content(ctx, path) for path in ("/a/b", "/a/c")] == [b"one", b"other"]

    def test_of_many_that_append_at_once_each_adds_its_part_whole(self, driver: StorageDriver, ctx: Context) -> None:
        driver.put_content(ctx, "/a/b", b"")
        parts = [bytes([number]) * 1000 for number in range(12)]

        def add(part: bytes) -> None:
            while True:
                try:
                    write(driver, ctx, "/a/b", part, append=True)
                    return
                except PathBusy:
                    continue

        together(*(partial(add, part) for part in parts))
        write_and_commit(driver, ctx, "/a/b", b"", append=True)
        content = driver.get_content(ctx, "/a/b")
        assert sorted(content[start : start + 1000] for start in range(0, len(content), 1000)) == parts

    def test_a_finished_upload_that_was_moved_cannot_be_written_any_more(
        self, driver: StorageDriver, ctx: Context
    ) -> None:
        with closing(driver.writer(ctx, "/upload/data")) as writer:
            writer.write(b"content")
            writer.commit()
            driver.move(ctx, "/upload/data", "/blob/data")
            for use in USES.values():
                with pytest.raises(ValueError, match="already committed"):
                    use(writer)
            with pytest.raises(PathNotFound):
                driver.writer(ctx, "/upload/data", append=True)
        with pytest.raises(PathNotFound):
            driver.writer(ctx, "/upload/data", append=True)
        assert driver.get_content(ctx, "/blob/data") == b"content"

    @pytest.mark.parametrize("use", SETTLING)
    @pytest.mark.parametrize("fate", ["deleted", "deleted with its directory", "moved", "replaced"])
    def test_a_writer_whose_file_went_away_cannot_settle_it(
        self, driver: StorageDriver, ctx: Context, fate: str, use: str
    ) -> None:
        if not self.shows_unfinished_writes:
            pytest.skip("an unfinished write cannot be deleted or moved")
        with closing(driver.writer(ctx, "/upload/data")) as writer:
            writer.write(b"content")
            {
                "deleted": partial(driver.delete, ctx, "/upload/data"),
                "deleted with its directory": partial(driver.delete, ctx, "/upload"),
                "moved": partial(driver.move, ctx, "/upload/data", "/blob/data"),
                "replaced": partial(driver.put_content, ctx, "/upload/data", b"another"),
            }[fate]()
            with pytest.raises(PathNotFound, match=driver.name):
                SETTLING[use](writer)
        if fate == "moved":
            assert driver.get_content(ctx, "/blob/data") == b"content"
        elif fate == "replaced":
            assert driver.get_content(ctx, "/upload/data") == b"another"
        else:
            assert "/upload/data" not in (driver.list(ctx, "/upload") if driver.list(ctx, "/") else [])

    def test_another_driver_over_the_same_store_cannot_write_what_is_held_and_goes_on_after(
        self, driver: StorageDriver, other_driver: StorageDriver, ctx: Context
    ) -> None:
        with closing(driver.writer(ctx, "/a/b")) as writer:
            writer.write(b"one ")
            writer.flush()
            for append in (True, False):
                with pytest.raises(PathBusy):
                    other_driver.writer(ctx, "/a/b", append=append)
        write_and_commit(other_driver, ctx, "/a/b", b"two", append=True)
        assert driver.get_content(ctx, "/a/b") == b"one two"

    def test_many_streams_are_written_and_read_at_once(self, driver: StorageDriver, ctx: Context) -> None:
        self._stream_at_once(driver, ctx, streams=8, size=MEBIBYTE)

    @pytest.mark.soak
    def test_very_many_streams_are_written_and_read_at_once(self, driver: StorageDriver, ctx: Context) -> None:
        self._stream_at_once(driver, ctx, streams=32, size=8 * MEBIBYTE)

    @staticmethod
    def _stream_at_once(driver: StorageDriver, ctx: Context, streams: int, size: int) -> None:
        def check(number: int) -> None:
            content = seeded(size, number)
            write_and_commit(driver, ctx, f"/a/{number}/data", content)
            assert read(driver, ctx, f"/a/{number}/data") == content

        together(*(partial(check, number) for number in range(streams)))

    def test_a_large_stream_is_read_back(self, driver: StorageDriver, ctx: Context) -> None:
        self._stream(driver, ctx, size=48 * MEBIBYTE)

    @pytest.mark.soak
    def test_a_very_large_stream_is_read_back(self, driver: StorageDriver, ctx: Context) -> None:
        self._stream(driver, ctx, size=self.soak_stream_size)

    @staticmethod
    def _stream(driver: StorageDriver, ctx: Context, size: int) -> None:
        part = seeded(4 * MEBIBYTE)
        written, found = hashlib.sha256(), hashlib.sha256()
        with closing(driver.writer(ctx, "/a/b")) as writer:
            for number in range(size // len(part)):
                counted = number.to_bytes(8, "big") + part[8:]
                written.update(counted)
                writer.write(counted)
            assert writer.size == size
            writer.commit()
        assert driver.stat(ctx, "/a/b").size == size
        with closing(driver.reader(ctx, "/a/b")) as reader:
            for content in iter(partial(reader.read, MEBIBYTE), b""):
                found.update(content)
        assert found.digest() == written.digest()
