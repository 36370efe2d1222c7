"""What a driver may be able to do beyond the interface, and what is done where it is not.

An ability is a method of its own Protocol in `interfaces`. Callers ask here, so that a driver around
another, such as a middleware, can hand the question on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.interfaces import OrderedLister, Probing, Redirecting, Staging

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import FileInfo, FileWriter, StorageDriver


def redirect_url(driver: StorageDriver, ctx: Context, path: str, method: str) -> str:
    """Return the URL where a client gets the file itself, empty where it has to come through the registry."""
    return driver.redirect_url(ctx, path, method) if isinstance(driver, Redirecting) else ""


def list_after(driver: StorageDriver, ctx: Context, path: str, after: str, limit: int) -> list[str]:
    """Return the names of the first `limit` children after `after`, in byte order. Raises PathNotFound."""
    if isinstance(driver, OrderedLister):
        return driver.list_after(ctx, path, after, limit)
    names = sorted(child.rpartition("/")[2] for child in driver.list(ctx, path))
    return [name for name in names if name > after][:limit]


def probe(driver: StorageDriver, path: str, content: bytes | None = None) -> Callable[[], bool] | None:
    """Return a function that tells whether the file is still there, and so; None where that costs too much."""
    return driver.probe(path, content) if isinstance(driver, Probing) else None


def stage(driver: StorageDriver, ctx: Context, path: str) -> FileWriter | None:
    """Return a writer of which nothing is seen before its commit, None where the driver has none."""
    return driver.stage(ctx, path) if isinstance(driver, Staging) else None


def commit(writer: FileWriter, *, flushed: bool) -> None:
    """Commit; `flushed` says that an earlier writer's flush has made all of the content durable."""
    # Each writer is new, and to ask one for a Protocol takes 6 µs before Python 3.12.
    commit_flushed = getattr(writer, "commit_flushed", None) if flushed else None
    (commit_flushed or writer.commit)()


def staged(driver: StorageDriver, ctx: Context, path: str) -> FileInfo:
    """Return what a path has, with what a writer of it has flushed. Raises PathNotFound."""
    return driver.staged(ctx, path) if isinstance(driver, Staging) else driver.stat(ctx, path)


def abandoned(driver: StorageDriver, ctx: Context, before: float, *, dry_run: bool = False) -> Sequence[str]:
    """Give up what nobody goes on with and no path shows; return the paths. Other drivers have nothing like that."""
    return driver.abandoned(ctx, before, dry_run=dry_run) if isinstance(driver, Staging) else ()
