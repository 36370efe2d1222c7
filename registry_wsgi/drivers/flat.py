"""For drivers over a store that has no directories: pages of the names in one, out of keys in the order of keys.

Keys are listed in byte order. Those of a directory `a` begin with `a/`, and come after the keys `a-b` and `a.b`, though
the name `a` comes before these. So of what a page of keys does not show, only directories with a name that its last key
begins with can belong before that key: they are asked for one by one, and there are as many as the key has dashes and
dots.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
"""A component of a driver's paths; a store may have other keys, of unfinished writes for one."""
_BEFORE_SLASH: Final = "-."
"""What a name may have that comes before the slash in byte order."""


def key_after(after: str) -> str:
    """Return the key after which the names after `after` are listed: as much of it as every store orders in one way.

    A client says what it likes; what is listed has to be compared with `after` once more.
    """
    match = NAME.match(after)
    return match[0] if match else ""


def hidden_by(key: str, after: str, is_directory: Callable[[str], bool]) -> Iterator[str]:
    """Yield the names after `after` that belong before `key`, the last one of a page, and are listed after it."""
    name = key.partition("/")[0]
    for position, character in enumerate(name):
        if position and character in _BEFORE_SLASH:
            hidden = name[:position]
            if hidden > after and is_directory(hidden):
                yield hidden
