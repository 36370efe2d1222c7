"""Things that happen at the same time, for the suites."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def together(*functions: Callable[[], object]) -> None:
    """Run the functions at the same time, each in a thread; raise what the first of them raises."""
    with ThreadPoolExecutor(len(functions)) as pool:
        for future in [pool.submit(function) for function in functions]:
            future.result()
