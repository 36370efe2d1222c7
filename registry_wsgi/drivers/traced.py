"""A storage driver whose every call is logged at debug level, with span ids that nest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.drivers.delegate import DelegatingDriver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import FileInfo, FileReader, FileWriter


class TracedDriver(DelegatingDriver):
    """Put around a driver only where debug lines are wanted: without it, tracing costs nothing."""

    def get_content(self, ctx: Context, path: str) -> bytes:
        with ctx.trace("get_content", f'{self.name}.get_content("{path}")'):
            return super().get_content(ctx, path)

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        with ctx.trace("put_content", f'{self.name}.put_content("{path}", {len(content)} bytes)'):
            super().put_content(ctx, path, content, durable=durable)

    def reader(self, ctx: Context, path: str, offset: int = 0) -> FileReader:
        with ctx.trace("reader", f'{self.name}.reader("{path}", {offset})'):
            return super().reader(ctx, path, offset)

    def writer(self, ctx: Context, path: str, *, append: bool = False) -> FileWriter:
        with ctx.trace("writer", f'{self.name}.writer("{path}", append={append})'):
            return super().writer(ctx, path, append=append)

    def stage(self, ctx: Context, path: str) -> FileWriter | None:
        with ctx.trace("stage", f'{self.name}.stage("{path}")'):
            return super().stage(ctx, path)

    def staged(self, ctx: Context, path: str) -> FileInfo:
        with ctx.trace("staged", f'{self.name}.staged("{path}")'):
            return super().staged(ctx, path)

    def stat(self, ctx: Context, path: str) -> FileInfo:
        with ctx.trace("stat", f'{self.name}.stat("{path}")'):
            return super().stat(ctx, path)

    def list(self, ctx: Context, path: str) -> list[str]:
        with ctx.trace("list", f'{self.name}.list("{path}")'):
            return super().list(ctx, path)

    def list_after(self, ctx: Context, path: str, after: str, limit: int) -> Sequence[str]:
        with ctx.trace("list_after", f'{self.name}.list_after("{path}", "{after}", {limit})'):
            return super().list_after(ctx, path, after, limit)

    def move(self, ctx: Context, source: str, target: str) -> None:
        with ctx.trace("move", f'{self.name}.move("{source}", "{target}")'):
            super().move(ctx, source, target)

    def delete(self, ctx: Context, path: str) -> None:
        with ctx.trace("delete", f'{self.name}.delete("{path}")'):
            super().delete(ctx, path)

    def probe(self, path: str, content: bytes | None = None) -> None:
        """Return None: a look at storage that no line tells of is what debugging is to be rid of."""
