"""Waiting for what a server does in its own time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 60.0
"""How long a condition may take on a machine that has much else to do."""
_PAUSE = 0.02


def until(condition: Callable[[], object], what: str | Callable[[], str] = "", seconds: float = SECONDS) -> None:
    """Return once `condition` holds; where it does not within `seconds`, fail and say `what` is the matter."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"not after {seconds} s: {what if isinstance(what, str) else what()}"
        time.sleep(_PAUSE)
