"""`python -m benchmarks.pages`: what a page of 100 takes out of 1,000 and out of 100,000 repositories or tags.

The storage is a directory in memory where there is one, so that the figures are the registry's own. "cold" is the
first page, which reads the large directory; "warm" is the median of those that follow. Only the repositories of the
page are there, and the other names are links to a file: a page looks at nothing else.
"""

from __future__ import annotations

import os
import statistics
import time
from itertools import islice
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from registry_wsgi.context import Context
from registry_wsgi.drivers.filesystem import FilesystemDriver
from registry_wsgi.storage import paths
from registry_wsgi.storage.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

CTX = Context()
SIZES = (1_000, 100_000)
PAGE = 100
ROUNDS = 200
LINKS = 10_000
"""The names that one file is given; file systems have a limit."""


def main() -> None:
    """Measure and print the table."""
    taken = {size: measure(size) for size in SIZES}
    print(f"a page of {PAGE}, in ms{'':<11}" + "".join(f"{f'of {size:,}':>12}" for size in SIZES) + f"{'ratio':>9}")
    for row in taken[SIZES[0]]:
        figures = [taken[size][row] for size in SIZES]
        print(
            f"{row:<28}" + "".join(f"{1000 * figure:>12.2f}" for figure in figures) + f"{figures[1] / figures[0]:>9.2f}"
        )


def measure(size: int) -> dict[str, float]:
    """Return the seconds of each kind of page in a tree of the size."""
    with TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as root:
        names = [f"n{number:06}" for number in range(size)]
        middle = size // 2
        last = names[middle - 1]
        make_tree(root, names, names[middle - 1 : middle + PAGE + 1])
        registry = Registry(FilesystemDriver(rootdirectory=root))
        tags = registry.repository(last).tags
        return {
            **timed("catalog", lambda: list(islice(registry.repositories(CTX, last), PAGE + 1))),
            **timed("tags", lambda: tags.list(CTX, last, PAGE + 1)),
        }


def make_tree(root: str, names: list[str], repositories: list[str]) -> None:
    """Make a tree of so many repositories; the first of those that are real has as many tags."""
    tags = paths.tags(repositories[0])
    for name in repositories:
        os.makedirs(f"{root}{paths.layers(name)}")
    os.makedirs(f"{root}{tags}")
    for directory, made in ((paths.REPOSITORIES, set(repositories)), (tags, set())):
        for number, name in enumerate(names):
            file = f"{root}/file{number // LINKS}"
            if number % LINKS == 0 and not os.path.exists(file):
                os.mknod(file)
            if name not in made:
                os.link(file, f"{root}{directory}/{name}")
        settled = time.time() - 60  # What has just changed is not yet remembered.
        os.utime(f"{root}{directory}", (settled, settled))


def timed(title: str, page: Callable[[], list[str]]) -> dict[str, float]:
    """Return the seconds of the first page, and the median of the later ones."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        found = page()
        seconds.append(time.perf_counter() - started)
        assert len(found) == PAGE + 1
    return {f"{title}, cold": seconds[0], f"{title}, warm": statistics.median(seconds[1:])}


if __name__ == "__main__":
    main()
