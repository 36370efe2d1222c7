"""The header `traceparent` (W3C Trace Context, level 1): which trace a request is a part of."""

from __future__ import annotations

import re
from typing import NamedTuple

_HEADER = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)


class TraceParent(NamedTuple):
    """The trace and the caller's span, in hexadecimal digits, and the header as it is passed on."""

    trace_id: str
    span_id: str
    header: str


def parse(header: str) -> TraceParent | None:
    """Return what the header says, None for one that has to be ignored (§3.2.2, §4.3)."""
    match = _HEADER.fullmatch(header)
    if match is None or match["version"] == "ff" or (match["version"] == "00" and match["more"]):
        return None
    if not (match["trace"].strip("0") and match["span"].strip("0")):
        return None
    return TraceParent(match["trace"], match["span"], header)
