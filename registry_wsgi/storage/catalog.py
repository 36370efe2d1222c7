"""The names of all repositories, found by walking the tree."""

from __future__ import annotations

from itertools import chain, takewhile
from typing import TYPE_CHECKING

from registry_wsgi.errors import NameInvalid, PathNotFound
from registry_wsgi.reference import check_name
from registry_wsgi.storage import paths
from registry_wsgi.storage.listing import pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver

_MARKS = frozenset({"_layers", "_manifests"})
"""A directory with one of these is a repository: the first marks it for registry 2.x, the second for 3.x."""

_PAGE = 128
"""How many children are looked at first: of most directories, all."""

_LOOK = 4
"""How many of the names after `_` are looked at first: the registry's own three, and one more to see that they end."""


def walk(ctx: Context, driver: StorageDriver, last: str = "") -> Iterator[str]:
    """Yield the repositories after `last`, which need not exist, component by component: `a`, `a/b`, `a-b`, `a.b`.

    What comes wholly before `last` is not read, and nothing is read before it is asked for.
    """
    return (name for name, own in directories(ctx, driver, last) if not _MARKS.isdisjoint(own))


def directories(ctx: Context, driver: StorageDriver, last: str = "") -> Iterator[tuple[str, Sequence[str]]]:
    """Yield every directory after `last` that could be a repository, in order, with the `_` names in it.

    Directories that have no repository's name are left out, with all below them: nobody could ask for them.
    """
    return _below(ctx, driver, "", last.split("/") if last else None)


def _below(
    ctx: Context, driver: StorageDriver, name: str, last: Sequence[str] | None
) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the directory `name` and those below it, or those below it alone that come after the components `last`."""
    path = paths.repository(name) if name else paths.REPOSITORIES
    after = ""
    if last:
        after, *rest = last
        if child := _child(name, after):
            yield from _below(ctx, driver, child, rest)
    found = _present(pages(ctx, driver, path, after, _PAGE))
    if name and last is None:
        first = next(found, None)
        if first is None:
            return
        yield name, _own(ctx, driver, path, first)
        found = chain([first], found)
    for word in chain.from_iterable(found):
        if child := _child(name, word):
            yield from _below(ctx, driver, child, None)


def _present(found: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield the pages; a file has none, nor has a directory that is deleted meanwhile."""
    try:
        yield from found
    except PathNotFound:
        return


def _own(ctx: Context, driver: StorageDriver, path: str, first: Sequence[str]) -> Sequence[str]:
    """Return the `_` names of a directory whose first page of children is `first`; it may end before them."""
    if len(first) < _PAGE or first[-1] > "`":  # the character after `_`
        return [word for word in first if word.startswith("_")]
    words = chain.from_iterable(_present(pages(ctx, driver, path, "_", _LOOK)))
    return list(takewhile(lambda word: word.startswith("_"), words))


def _child(name: str, word: str) -> str:
    """Return the name of a child, empty where no repository can have it."""
    try:
        return check_name(f"{name}/{word}" if name else word)
    except NameInvalid:
        return ""
