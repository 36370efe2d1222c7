"""What a driver may be able to do beyond the interface, and what is done where it is not.

An ability is a method of its own Protocol in `interfaces`. Callers ask here, so that a driver around
another, such as a middleware, can hand the question on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.interfaces import OrderedLister, Probing, Redirecting

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver


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
