"""What the parts of the storage driver suite share."""

from __future__ import annotations

import random
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.context import Context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.interfaces import StorageDriver


class DriverCase:
    """The fixtures and the traits that a driver's test class may override; see `StorageDriverSuite`."""

    has_directories = True
    shows_unfinished_writes = True
    modified_resolution = 1.1
    soak_stream_size = 5 * 2**30

    @pytest.fixture
    def driver(self) -> StorageDriver | Iterator[StorageDriver]:
        raise NotImplementedError("give a fixture `driver`: a driver over an empty store")

    @pytest.fixture
    def other_driver(self, driver: StorageDriver) -> StorageDriver | Iterator[StorageDriver]:
        pytest.skip("no fixture `other_driver`: a second driver over the same store")

    @pytest.fixture
    def ctx(self) -> Context:
        return Context()


def seeded(size: int, seed: int = 0) -> bytes:
    """Return `size` bytes that look random and are the same each time."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - repeatable, and no secret


def write(driver: StorageDriver, ctx: Context, path: str, content: bytes, *, append: bool = False) -> int:
    """Write and leave unfinished what a later writer may go on with; return the size it then has."""
    with closing(driver.writer(ctx, path, append=append)) as writer:
        assert writer.write(content) == len(content)
        writer.flush()
        return writer.size


def write_and_commit(driver: StorageDriver, ctx: Context, path: str, content: bytes, *, append: bool = False) -> None:
    with closing(driver.writer(ctx, path, append=append)) as writer:
        writer.write(content)
        writer.commit()


def read(driver: StorageDriver, ctx: Context, path: str, offset: int = 0) -> bytes:
    """Return what a reader gives from the offset to the end, asked for in parts of an odd size."""
    with closing(driver.reader(ctx, path, offset)) as reader:
        parts = []
        while part := reader.read(65521):
            parts.append(part)
        return b"".join(parts)
