"""What a process tree costs, read from /proc: processor time, and the peak of its memory."""

from __future__ import annotations

import os
import threading
from collections import deque
from pathlib import Path
from typing import Self

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.05


def tree(pid: int) -> list[int]:
    """Return `pid` and its living descendants: a server's workers are part of the server."""
    found: list[int] = []
    waiting = deque([pid])
    while waiting:
        found.append(waiting.popleft())
        for children in PROC.glob(f"{found[-1]}/task/*/children"):
            try:
                waiting.extend(map(int, children.read_text().split()))
            except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
                continue
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processor time, user and system, that the tree of `pid` has used."""
    ticks = 0
    for member in tree(pid):
        try:
            # The command's name may hold spaces and brackets: the fields begin after the last one.
            fields = (PROC / str(member) / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def resident(pid: int, field: str = "VmRSS") -> dict[int, int]:
    """Return the resident bytes of each process in the tree: `VmRSS` is now, `VmHWM` the peak so far."""
    sizes: dict[int, int] = {}
    for member in tree(pid):
        try:
            sizes[member] = parse_status((PROC / str(member) / "status").read_text(), field)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return sizes


def parse_status(text: str, field: str) -> int:
    """Return one size of /proc/PID/status in bytes; 0 for a process that has no memory any more."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return 0


class PeakMemory:
    """The growth of a tree's resident memory while the `with` block runs.

    The kernel keeps each process's peak, so none is missed between two looks; the looks are there for
    workers that come and go. The peaks of several processes are added up, as if they had been at once:
    the figure errs on the high side.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.idle = sum(resident(pid).values())
        self.peaks: dict[int, int] = {}
        self._done = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    @property
    def growth(self) -> int:
        """Peak less idle, in bytes."""
        return max(0, sum(self.peaks.values()) - self.idle)

    def __enter__(self) -> Self:
        for member in tree(self.pid):
            (PROC / str(member) / "clear_refs").write_text("5")  # the peak becomes what is resident now: proc(5)
        self._sampler.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()
        self._sampler.join()
        self._look()

    def _sample(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        for member, size in resident(self.pid, "VmHWM").items():
            self.peaks[member] = max(size, self.peaks.get(member, 0))
