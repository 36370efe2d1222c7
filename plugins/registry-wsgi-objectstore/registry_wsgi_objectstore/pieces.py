"""A file that is still being written: an empty object at its path, and the pieces of its content below it.

    <path>                       empty: what counts are the pieces
    <path>/=<offset>             20 digits: a piece of the content, from there on
    <path>/=lock                 who writes it; see locks.py

No path of a storage driver has a `=` in it, so that these are nobody's files. Where the object at the path has content
it is the file, and pieces are left-overs of a process that died.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from registry_wsgi_objectstore.objects import Found, Objects

_PIECE: Final = re.compile(r".*/=([0-9]{20})")


def lock_path(path: str) -> str:
    return f"{path}/=lock"


def piece_path(path: str, offset: int) -> str:
    return f"{path}/={offset:020}"


def is_own(path: str) -> bool:
    """Tell whether the path is of a piece or a lock, and no file of anyone's."""
    return "=" in path


def pieces_of(objects: Objects, path: str) -> list[Found]:
    """Return the pieces in order, as far as each begins where the one before ends."""
    whole: list[Found] = []
    size = 0
    for found in sorted(objects.below(path)):
        match = _PIECE.fullmatch(found.path)
        if match is None or found.path != piece_path(path, size):
            continue
        whole.append(found)
        size += found.size
    return whole


def discard(objects: Objects, path: str) -> None:
    """Delete the pieces at the path."""
    objects.delete([found.path for found in objects.below(path) if _PIECE.fullmatch(found.path)])
