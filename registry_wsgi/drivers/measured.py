"""A storage driver of whose every call it is measured how long it takes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from registry_wsgi.drivers.delegate import DelegatingDriver
from registry_wsgi.metrics.families import ACTION_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import FileInfo, FileReader, FileWriter, StorageDriver
    from registry_wsgi.metrics.measurements import Measurements


class MeasuredDriver(DelegatingDriver):
    """Put around a driver only where metrics are wanted. Actions have the names that they have in registry:3."""

    def __init__(self, driver: StorageDriver, measurements: Measurements) -> None:
        super().__init__(driver)
        self.measured = driver
        self._measurements = measurements

    @contextmanager
    def _measured(self, action: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - began
            series = self._measurements.series(ACTION_SECONDS, self.name, action)
            self._measurements.observe(series, ACTION_SECONDS, seconds)

    def get_content(self, ctx: Context, path: str) -> bytes:
        with self._measured("GetContent"):
            return super().get_content(ctx, path)

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        with self._measured("PutContent"):
            super().put_content(ctx, path, content, durable=durable)

    def reader(self, ctx: Context, path: str, offset: int = 0) -> FileReader:
        with self._measured("Reader"):
            return super().reader(ctx, path, offset)

    def writer(self, ctx: Context, path: str, *, append: bool = False) -> FileWriter:
        with self._measured("Writer"):
            return super().writer(ctx, path, append=append)

    def stat(self, ctx: Context, path: str) -> FileInfo:
        with self._measured("Stat"):
            return super().stat(ctx, path)

    def list(self, ctx: Context, path: str) -> list[str]:
        with self._measured("List"):
            return super().list(ctx, path)

    def list_after(self, ctx: Context, path: str, after: str, limit: int) -> Sequence[str]:
        with self._measured("List"):
            return super().list_after(ctx, path, after, limit)

    def move(self, ctx: Context, source: str, target: str) -> None:
        with self._measured("Move"):
            super().move(ctx, source, target)

    def delete(self, ctx: Context, path: str) -> None:
        with self._measured("Delete"):
            super().delete(ctx, path)

    def redirect_url(self, ctx: Context, path: str, method: str) -> str:
        with self._measured("RedirectURL"):
            return super().redirect_url(ctx, path, method)
