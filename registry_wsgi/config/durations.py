"""Durations as Go writes them, which is how registry:2's files have them."""

from __future__ import annotations

import re

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_WHOLE = re.compile(rf"[+-]?(?:{_PART.pattern})+", re.ASCII)
# Go counts nanoseconds in 64 bits: some 292 years.
_LONGEST = (2**63 - 1) / 1e9


def parse_duration(value: object) -> float:
    """Return the seconds of `1h30m`, `300ms`, `0`; a bare integer counts nanoseconds. Raises ValueError."""
    if type(value) is int and abs(value) < 2**63:
        return value / 1e9
    if not isinstance(value, str):
        raise ValueError("not a duration")
    if value.lstrip("+-") == "0" and len(value) <= len("+0"):
        return 0.0
    if not _WHOLE.fullmatch(value):
        raise ValueError("not a duration")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(value))
    if seconds > _LONGEST:
        raise ValueError("too long a duration")
    return -seconds if value.startswith("-") else seconds


def format_duration(seconds: float) -> str:
    """Return whole seconds in the largest unit that leaves nothing over: `168h`, `1m`, `10s`, `0`."""
    for unit in ("h", "m", "s"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:g}{unit}"
    return f"{seconds:g}s" if seconds else "0"
