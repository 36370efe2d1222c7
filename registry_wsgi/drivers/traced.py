"""A storage driver whose every call is logged at debug level, with span ids that nest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import FileInfo, FileReader, FileWriter, StorageDriver


class TracedDriver:
    """Put around a driver only where debug lines are wanted: without it, tracing costs nothing."""

    def __init__(self, driver: StorageDriver) -> None:
        self.name = driver.name
        self._driver = driver

    def get_content(self, ctx: Context, path: str) -> bytes:
        with ctx.trace("get_content", f'{self.name}.get_content("{path}")'):
            return self._driver.get_content(ctx, path)

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        with ctx.trace("put_content", f'{self.name}.put_content("{path}", {len(content)} bytes)'):
            self._driver.put_content(ctx, path, content, durable=durable)

    def reader(self, ctx: Context, path: str, offset: int = 0) -> FileReader:
        with ctx.trace("reader", f'{self.name}.reader("{path}", {offset})'):
            return self._driver.reader(ctx, path, offset)

    def writer(self, ctx: Context, path: str, *, append: bool = False) -> FileWriter:
        with ctx.trace("writer", f'{self.name}.writer("{path}", append={append})'):
            return self._driver.writer(ctx, path, append=append)

    def stat(self, ctx: Context, path: str) -> FileInfo:
        with ctx.trace("stat", f'{self.name}.stat("{path}")'):
            return self._driver.stat(ctx, path)

    def list(self, ctx: Context, path: str) -> list[str]:
        with ctx.trace("list", f'{self.name}.list("{path}")'):
            return self._driver.list(ctx, path)

    def move(self, ctx: Context, source: str, target: str) -> None:
        with ctx.trace("move", f'{self.name}.move("{source}", "{target}")'):
            self._driver.move(ctx, source, target)

    def delete(self, ctx: Context, path: str) -> None:
        with ctx.trace("delete", f'{self.name}.delete("{path}")'):
            self._driver.delete(ctx, path)
