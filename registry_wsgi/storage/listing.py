"""The names in a directory in byte order, asked for in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.drivers.abilities import list_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver

LONGEST = 8192
"""The names that are asked for at once at most."""


def pages(ctx: Context, driver: StorageDriver, path: str, after: str, size: int) -> Iterator[list[str]]:
    """Yield the names after `after`: first up to `size` of them, then pages that grow.

    So who needs a few names has no more than twice as many listed, and who needs all of them asks seldom.
    A page is asked for when it is needed; that may raise PathNotFound.
    """
    while True:
        names = list_after(driver, ctx, path, after, size)
        yield names
        if len(names) < size:
            return
        after, size = names[-1], max(size, min(2 * size, LONGEST))
