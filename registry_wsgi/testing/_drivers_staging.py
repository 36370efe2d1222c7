"""The ability to stage: writes of which nothing is seen before their commit, of drivers that have it."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.errors import InvalidPath, PathNotFound
from registry_wsgi.interfaces import Staging
from registry_wsgi.testing._drivers_case import DriverCase, seeded, write, write_and_commit
from registry_wsgi.testing._together import together

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import FileWriter, StorageDriver

LARGE = 12 * 2**20


class StagingSuite(DriverCase):
    @pytest.fixture
    def stager(self, driver: StorageDriver) -> Staging:
        if not isinstance(driver, Staging):
            pytest.skip("the driver does not stage")
        return driver

    @pytest.mark.parametrize("size", [0, 1, LARGE])
    def test_what_is_staged_appears_whole_with_its_commit(
        self, stager: Staging, driver: StorageDriver, ctx: Context, size: int
    ) -> None:
        content = seeded(size)
        with closing(_staged(stager, ctx, "/a/b")) as writer:
            assert writer.write(content) == size
            writer.flush()
            with pytest.raises(PathNotFound):
                driver.stat(ctx, "/a/b")
            assert driver.list(ctx, "/") == []
            writer.commit()
            assert driver.get_content(ctx, "/a/b") == content
        assert driver.list(ctx, "/a") == ["/a/b"]

    @pytest.mark.parametrize("end", ["close", "cancel"])
    @pytest.mark.parametrize("size", [1, LARGE])
    def test_what_is_not_committed_changes_nothing(
        self, stager: Staging, driver: StorageDriver, ctx: Context, size: int, end: str
    ) -> None:
        driver.put_content(ctx, "/a/b", b"kept")
        with closing(_staged(stager, ctx, "/a/b")) as writer:
            writer.write(seeded(size))
            getattr(writer, end)()
            with pytest.raises(ValueError, match="already"):
                writer.commit()
        assert driver.get_content(ctx, "/a/b") == b"kept"
        assert stager.abandoned(ctx, time.time() + 3600) == []

    def test_many_stage_one_path_and_each_commit_is_whole(
        self, stager: Staging, driver: StorageDriver, ctx: Context
    ) -> None:
        contents = [seeded(100_000 + number, number) for number in range(6)]

        def stage(content: bytes) -> None:
            with closing(_staged(stager, ctx, "/a/b")) as writer:
                writer.write(content)
                writer.commit()
            assert driver.get_content(ctx, "/a/b") in contents

        together(*(partial(stage, content) for content in contents))

    def test_what_was_flushed_can_be_asked_for_before_the_commit(
        self, stager: Staging, driver: StorageDriver, ctx: Context
    ) -> None:
        with pytest.raises(PathNotFound):
            stager.staged(ctx, "/a/b")
        write(driver, ctx, "/a/b", seeded(LARGE))
        assert stager.staged(ctx, "/a/b").size == LARGE
        write(driver, ctx, "/a/b", b"more", append=True)
        found = stager.staged(ctx, "/a/b")
        assert (found.size, found.is_directory) == (LARGE + 4, False)
        write_and_commit(driver, ctx, "/a/b", b"", append=True)
        assert stager.staged(ctx, "/a/b").size == driver.stat(ctx, "/a/b").size == LARGE + 4

    def test_an_abandoned_write_is_given_up_and_others_are_not(
        self, stager: Staging, driver: StorageDriver, ctx: Context
    ) -> None:
        writer = _staged(stager, ctx, "/a/b")
        writer.write(seeded(LARGE))
        writer.write(seeded(LARGE))
        assert stager.abandoned(ctx, time.time() - 3600) == []
        later = time.time() + 3600
        assert stager.abandoned(ctx, later, dry_run=True) == ["/a/b"]
        assert stager.abandoned(ctx, later) == ["/a/b"]
        assert stager.abandoned(ctx, later) == []
        with pytest.raises(PathNotFound):
            writer.commit()
        writer.close()
        assert driver.list(ctx, "/") == []

    def test_an_invalid_path_cannot_be_staged(self, stager: Staging, ctx: Context) -> None:
        for path in ("", "/", "/../a", "a"):
            with pytest.raises(InvalidPath):
                stager.stage(ctx, path)
            with pytest.raises(InvalidPath):
                stager.staged(ctx, path)


def _staged(stager: Staging, ctx: Context, path: str) -> FileWriter:
    writer = stager.stage(ctx, path)
    if writer is None:
        pytest.skip("the driver hands on to one that does not stage")
    return writer
