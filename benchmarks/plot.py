"""The ratios of a run as a picture: one bar to a row on a logarithmic scale, its goal a line across it.

`python -m benchmarks.plot docs/benchmark.json docs/benchmark.svg` draws a run that was kept.
"""

from __future__ import annotations

import json
import math
import re
import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LABEL, SCALE, MARGIN, LINE = 400, 420, 110, 22
TOP, BOTTOM = 56, 34
LOW, HIGH = 0.05, 200.0
MET, MISSED, NO_GOAL = "#2f8f5b", "#c2543d", "#7b8794"
TICKS = (0.1, 0.5, 1, 2, 5, 10, 20, 50, 100)


def draw(document: Mapping[str, Any]) -> str:
    """Return the SVG document of a result as `python -m benchmarks` writes it."""
    rows: Sequence[Mapping[str, Any]] = document["rows"]
    height = TOP + LINE * len(rows) + BOTTOM
    width = LABEL + SCALE + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        text(12, 22, "registry-wsgi in comparison: ours divided by theirs", size=15),
        text(12, 42, f"{document['machine']['date'][:10]}, one core each; a black line is the goal", color=NO_GOAL),
    ]
    bottom = TOP + LINE * len(rows)
    for tick in TICKS:
        color = "#333333" if tick == 1 else "#dddddd"
        parts.append(f'<line x1="{place(tick):.1f}" x2="{place(tick):.1f}" y1="{TOP}" y2="{bottom}" stroke="{color}"/>')
        parts.append(text(place(tick), bottom + 16, f"{tick:g}×", anchor="middle", color=NO_GOAL))
    for number, row in enumerate(rows):
        parts += bar(row, TOP + LINE * number)
    return "\n".join([*parts, "</svg>\n"])


def bar(row: Mapping[str, Any], top: float) -> list[str]:
    """Return one row: its label, a bar from 1 to the ratio, the ratio, and a line at the goal."""
    ratio, end = row["ratio"], place(row["ratio"])
    color = {True: MET, False: MISSED, None: NO_GOAL}[row["met"]]
    left, right = sorted((place(1), end))
    label = f"{row['title']} : {row['against']}"
    parts = [
        text(LABEL - 10, top + 15, label, anchor="end"),
        f'<rect x="{left:.1f}" y="{top + 4}" width="{max(1.0, right - left):.1f}" height="{LINE - 8}" fill="{color}"/>',
        text(max(right, place(1)) + 6, top + 15, f"{ratio:.2f}", color=color),
    ]
    goal = re.fullmatch(r". ([\d.]+)", row["goal"] or "")
    if goal:
        x = place(float(goal[1]))
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top + 1}" y2="{top + LINE - 1}" stroke="#000" stroke-width="2"/>'
        )
    return parts


def place(ratio: float) -> float:
    """Return where a ratio stands on the scale."""
    share = math.log(min(max(ratio, LOW), HIGH) / LOW) / math.log(HIGH / LOW)
    return LABEL + SCALE * share


def text(x: float, y: float, words: str, *, anchor: str = "start", color: str = "#222222", size: int = 12) -> str:
    """Return a line of text."""
    place_ = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place_} fill="{color}" font-size="{size}">{escape(words)}</text>'


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:3])
    target.write_text(draw(json.loads(source.read_text())))
