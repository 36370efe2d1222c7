"""A driver around another that hands everything on: what storage middlewares and traces are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.drivers import abilities

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import FileInfo, FileReader, FileWriter, StorageDriver


class DelegatingDriver:
    """Every method and ability of `driver`; a subclass overrides the ones it changes."""

    def __init__(self, driver: StorageDriver) -> None:
        self.name = driver.name
        self._driver = driver

    def get_content(self, ctx: Context, path: str) -> bytes:
        return self._driver.get_content(ctx, path)

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        self._driver.put_content(ctx, path, content, durable=durable)

    def reader(self, ctx: Context, path: str, offset: int = 0) -> FileReader:
        return self._driver.reader(ctx, path, offset)

    def writer(self, ctx: Context, path: str, *, append: bool = False) -> FileWriter:
        return self._driver.writer(ctx, path, append=append)

    def stat(self, ctx: Context, path: str) -> FileInfo:
        return self._driver.stat(ctx, path)

    def list(self, ctx: Context, path: str) -> list[str]:
        return self._driver.list(ctx, path)

    def list_after(self, ctx: Context, path: str, after: str, limit: int) -> Sequence[str]:
        return abilities.list_after(self._driver, ctx, path, after, limit)

    def move(self, ctx: Context, source: str, target: str) -> None:
        self._driver.move(ctx, source, target)

    def delete(self, ctx: Context, path: str) -> None:
        self._driver.delete(ctx, path)

    def stage(self, ctx: Context, path: str) -> FileWriter | None:
        return abilities.stage(self._driver, ctx, path)

    def staged(self, ctx: Context, path: str) -> FileInfo:
        return abilities.staged(self._driver, ctx, path)

    def abandoned(self, ctx: Context, before: float, *, dry_run: bool = False) -> Sequence[str]:
        return abilities.abandoned(self._driver, ctx, before, dry_run=dry_run)

    def redirect_url(self, ctx: Context, path: str, method: str) -> str:
        return abilities.redirect_url(self._driver, ctx, path, method)

    def probe(self, path: str, content: bytes | None = None) -> Callable[[], bool] | None:
        return abilities.probe(self._driver, path, content)
