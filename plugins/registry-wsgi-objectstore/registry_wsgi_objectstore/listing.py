"""The names in a directory, which are what the keys of objects have in common; and pages of them.

A store can list its keys from any one on, but of the names in a directory, which obstore asks for by a delimiter, only
all. So a page that begins in the middle is read from the keys, where they are enough for it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from registry_wsgi.drivers import flat
from registry_wsgi.errors import PathNotFound
from registry_wsgi_objectstore.pieces import is_own

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from registry_wsgi_objectstore.objects import Objects

_KEYS_OF_A_NAME: Final = 4
"""So many keys are read for each name that a page wants: a tag has two, and two more when it was moved."""
_LEAST: Final = 1000


def children(objects: Objects, path: str) -> list[str]:
    """Return the names in a directory, in order. Raises PathNotFound."""
    found = set(_names(objects.children(path), path))
    if not found and path != "/":
        raise PathNotFound(objects.name, path)
    return sorted(found)


def children_after(objects: Objects, path: str, after: str, limit: int) -> list[str]:
    """Return the first `limit` names after `after`, in byte order. Raises PathNotFound."""
    found = _from_keys(objects, path, after, limit) if after else None
    if found is None:
        found = [name for name in children(objects, path) if name > after]
    return found[:limit]


def is_directory(objects: Objects, path: str) -> bool:
    return path == "/" or any(_names((found.path for found in objects.below(path)), path))


def _from_keys(objects: Objects, path: str, after: str, limit: int) -> list[str] | None:
    """Return the names after `after`, at least `limit` of them or all; None where the keys that are read have fewer.

    That is so where there is much below each name. What the order of keys hides is asked for, see `flat`.
    """
    most = max(_LEAST, _KEYS_OF_A_NAME * limit)
    keys = [found.path for found in islice(objects.below(path, after=_key_after(after)), most)]
    names = {name for name in _names(keys, path) if name > after}
    if len(keys) < most:
        if not names and not is_directory(objects, path):
            raise PathNotFound(objects.name, path)
        return sorted(names)
    if len(names) < limit:
        return None
    parent = path.rstrip("/")
    last = keys[-1].removeprefix(f"{parent}/")
    names.update(flat.hidden_by(last, after, lambda name: is_directory(objects, f"{parent}/{name}")))
    return sorted(names)


def _names(paths: Iterable[str], directory: str) -> Iterator[str]:
    """Yield what follows the directory in paths below it, up to the next slash; pieces and locks are nobody's files."""
    start = len(directory.rstrip("/")) + 1
    for path in paths:
        name = path[start:].partition("/")[0]
        if name and not is_own(name):
            yield name


def _key_after(after: str) -> str:
    key = flat.key_after(after)
    return key if key.strip(".") else ""  # obstore refuses dots alone
