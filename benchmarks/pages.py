"""Trees of very many repositories and tags, and the pages that are asked of them.

Only the repositories of the page are there, and the other names are links to a file: a page looks at nothing else.
They are in the middle of the smallest tree, so that the same page is asked of every size.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from registry_wsgi.storage import paths

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 100
FIRST = 500
LINKS = 10_000
"""The names that one file is given; file systems have a limit."""


def name(number: int) -> str:
    """Return a repository's or a tag's name."""
    return f"n{number:06}"


LAST = name(FIRST)
"""The repository that has the tags; the pages begin after this name."""

CATALOG = f"/v2/_catalog?n={PAGE}&last={LAST}"
TAGS = f"/v2/{LAST}/tags/list?n={PAGE}&last={LAST}"


def make_trees(root: Path, size: int) -> None:
    """Make a tree of `size` repositories, of which LAST has as many tags."""
    names = [name(number) for number in range(size)]
    real = set(names[FIRST : FIRST + PAGE + 2])
    for each in real:
        os.makedirs(f"{root}{paths.layers(each)}")
    os.makedirs(f"{root}{paths.tags(LAST)}")
    _fill(root, paths.REPOSITORIES, [each for each in names if each not in real])
    _fill(root, paths.tags(LAST), names)


def _fill(root: Path, directory: str, names: list[str]) -> None:
    """Give the directory the names."""
    for number, each in enumerate(names):
        file = f"{root}/file{number // LINKS}{directory.count('/')}"
        if number % LINKS == 0:
            os.mknod(file)
        os.link(file, f"{root}{directory}/{each}")
    settled = time.time() - 60  # What has just changed is not yet remembered.
    os.utime(f"{root}{directory}", (settled, settled))
