"""Checks that are made again and again, in a thread each: what has failed stays in mind until it succeeds."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry_wsgi.health.checks import CheckFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from registry_wsgi.health.checks import Check

MANUAL = "manual_http_status"
"""The name of what an operator says, who takes the registry down and up again."""
_logger = logging.getLogger("registry_wsgi")


@dataclass(frozen=True, slots=True)
class Watched:
    """A check by its name, made every `interval` seconds; it has failed when it did so `threshold` times in a row."""

    name: str
    check: Check
    interval: float
    threshold: int = 1


class Monitor:
    """`failing` says of each check that has failed why; it is replaced, and never changed."""

    def __init__(self) -> None:
        self.failing: Mapping[str, str] = {}
        self._changing = threading.Lock()

    def watch(self, watched: Sequence[Watched]) -> None:
        """Begin to make the checks, in threads that end with the process."""
        for each in watched:
            threading.Thread(target=self._watch, args=(each,), daemon=True, name=f"health {each.name}").start()

    def note(self, name: str, reason: str) -> None:
        """Take down why something fails, or by an empty reason that it does not."""
        with self._changing:
            if self.failing.get(name, "") != reason:
                others = {other: why for other, why in self.failing.items() if other != name}
                self.failing = others | ({name: reason} if reason else {})
                level, message = (logging.ERROR, "unhealthy") if reason else (logging.INFO, "healthy again")
                _logger.log(level, message, extra={"fields": {"health.check": name, "health.reason": reason}})

    def reset(self) -> None:
        """Begin again after a fork: the lock may be held by a thread of the parent."""
        self._changing = threading.Lock()

    def _watch(self, watched: Watched) -> None:
        failures = 0
        pause = threading.Event()
        while not pause.wait(watched.interval):
            reason = outcome(watched.check)
            failures = failures + 1 if reason else 0
            if not reason or failures >= watched.threshold:
                self.note(watched.name, reason)


def outcome(check: Check) -> str:
    """Return why the check fails, empty where it does not."""
    try:
        check()
    except CheckFailed as error:
        return str(error) or "failed"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
