"""A clock that is turned by hand, and files that are as old as it says, over any driver: no test waits for an age."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from registry_wsgi.drivers.delegate import DelegatingDriver

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import FileInfo, FileWriter, StorageDriver


class Clock:
    """What `time` says: it goes on by what is slept, and by `pass_`; `before_sleep` is called before the former."""

    def __init__(self, patch: pytest.MonkeyPatch, before_sleep: Callable[[], object] = lambda: None) -> None:
        self._began, self._passed = time.time(), 0.0
        self._before_sleep = before_sleep
        for name in ("time", "monotonic", "sleep"):
            patch.setattr(time, name, getattr(self, name))

    def time(self) -> float:
        return self._began + self._passed

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        self._before_sleep()
        self.pass_(seconds)

    def pass_(self, seconds: float) -> None:
        self._passed += seconds


class DatedDriver(DelegatingDriver):
    """A driver whose files were written when `time` said so, and not when the clock of the disk or of the store did."""

    def __init__(self, driver: StorageDriver) -> None:
        super().__init__(driver)
        self._written: dict[str, float] = {}

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        super().put_content(ctx, path, content, durable=durable)
        self._written[path] = time.time()

    def writer(self, ctx: Context, path: str, *, append: bool = False) -> FileWriter:
        writer = super().writer(ctx, path, append=append)
        self._written[path] = time.time()
        return writer

    def stage(self, ctx: Context, path: str) -> FileWriter | None:
        self._written[path] = time.time()
        return super().stage(ctx, path)

    def move(self, ctx: Context, source: str, target: str) -> None:
        super().move(ctx, source, target)
        self._written[target] = time.time()

    def stat(self, ctx: Context, path: str) -> FileInfo:
        return self._dated(super().stat(ctx, path))

    def staged(self, ctx: Context, path: str) -> FileInfo:
        return self._dated(super().staged(ctx, path))

    def _dated(self, info: FileInfo) -> FileInfo:
        return replace(info, modified=self._written.get(info.path, info.modified))
