"""A span for each call of the storage driver, whose parent is the request's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from registry_wsgi.drivers.delegate import DelegatingDriver
from registry_wsgi_opentelemetry.spans import parent_of, tracer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from opentelemetry.trace import Span

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import FileInfo, FileReader, FileWriter


class SpannedDriver(DelegatingDriver):
    """The storage middleware `opentelemetry`; the layer of the same name says where its spans go."""

    def get_content(self, ctx: Context, path: str) -> bytes:
        with self._span(ctx, "get_content", path):
            return super().get_content(ctx, path)

    def put_content(self, ctx: Context, path: str, content: bytes, *, durable: bool = True) -> None:
        with self._span(ctx, "put_content", path):
            super().put_content(ctx, path, content, durable=durable)

    def reader(self, ctx: Context, path: str, offset: int = 0) -> FileReader:
        with self._span(ctx, "reader", path):
            return super().reader(ctx, path, offset)

    def writer(self, ctx: Context, path: str, *, append: bool = False) -> FileWriter:
        with self._span(ctx, "writer", path):
            return super().writer(ctx, path, append=append)

    def stat(self, ctx: Context, path: str) -> FileInfo:
        with self._span(ctx, "stat", path):
            return super().stat(ctx, path)

    def list(self, ctx: Context, path: str) -> list[str]:
        with self._span(ctx, "list", path):
            return super().list(ctx, path)

    def list_after(self, ctx: Context, path: str, after: str, limit: int) -> Sequence[str]:
        with self._span(ctx, "list_after", path):
            return super().list_after(ctx, path, after, limit)

    def move(self, ctx: Context, source: str, target: str) -> None:
        with self._span(ctx, "move", source):
            super().move(ctx, source, target)

    def delete(self, ctx: Context, path: str) -> None:
        with self._span(ctx, "delete", path):
            super().delete(ctx, path)

    def _span(self, ctx: Context, action: str, path: str) -> AbstractContextManager[Span]:
        request = ctx.traceparent
        return tracer.start_as_current_span(
            f"{self.name}.{action}",
            parent_of({"traceparent": request.header} if request else {}),
            SpanKind.CLIENT,
            {"registry.driver": self.name, "registry.action": action, "registry.path": path},
        )
