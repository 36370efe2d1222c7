"""The names of all repositories, found by walking the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.errors import PathNotFound
from registry_wsgi.storage import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver

_MARKS = frozenset({"_layers", "_manifests"})
"""A directory with one of these is a repository: the first marks it for registry 2.x, the second for 3.x."""


def walk(ctx: Context, driver: StorageDriver, last: str = "") -> Iterator[str]:
    """Yield the repositories after `last`, component by component: `a`, `a/b`, `a-b`, `a.b`.

    Directories that come wholly before `last` are not read, and nothing is read before it is asked for.
    """
    return (name for name, children in directories(ctx, driver, last) if not _MARKS.isdisjoint(children))


def directories(ctx: Context, driver: StorageDriver, last: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield every directory after `last` that could be a repository, with the names of what is in it, in order."""
    return _below(ctx, driver, "", tuple(last.split("/")) if last else ())


def _below(ctx: Context, driver: StorageDriver, name: str, last: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    try:
        children = driver.list(ctx, paths.repository(name) if name else paths.REPOSITORIES)
    except PathNotFound:
        return
    words = sorted(child.rpartition("/")[2] for child in children)
    if name and not last:
        yield name, words
    first, rest = (last[0], last[1:]) if last else ("", ())
    for word in words:
        if word.startswith("_") or word < first:
            continue
        child = f"{name}/{word}" if name else word
        if word == first and not rest:
            # `last` itself: it has been seen, what is below it has not.
            yield from (found for found in _below(ctx, driver, child, ()) if found[0] != child)
        else:
            yield from _below(ctx, driver, child, rest if word == first else ())
