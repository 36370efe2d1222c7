"""From the figures of all runs to the table: medians, ratios of neighbouring runs, and their spread."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .measures import Sample
    from .rows import Row

HEADER = ("row", "unit", "ours", "theirs", "against", "ratio", "spread", "goal", "met", "core busy")
WORDS = (0, 1, 4)
"""The columns of words, which stand to the left."""

LEAST = 0.001
"""Less than this is noise of the kernel's counting, and nothing to divide by."""


@dataclass(frozen=True)
class Result:
    """All runs of one row: a sample to a round for us, for the other, and for each peer."""

    row: Row
    ours: list[Sample] = field(default_factory=list)
    theirs: list[Sample] = field(default_factory=list)
    peers: dict[str, list[Sample]] = field(default_factory=dict)

    @property
    def against(self) -> str:
        """What we are measured against."""
        return self.row.against or self.row.theirs

    def ratios(self) -> list[float]:
        """Return the ratio of ours to theirs, round by round."""
        return ratios(self.ours, self.theirs)

    def notes(self) -> list[str]:
        """Return what is to be said of our last run, and of the other's."""
        return [each[-1].note if each else "" for each in (self.ours, self.theirs)]

    def met(self) -> bool | None:
        """Tell whether the goal is met, None where the row has none."""
        return self.row.goal.met(middle(self.ours), median(self.ratios())) if self.row.goal is not None else None

    def to_dict(self) -> dict[str, object]:
        """Return what the JSON file holds of this row."""
        found, goal = self.ratios(), self.row.goal
        return {
            "name": self.row.name,
            "title": self.row.title,
            "unit": self.row.unit,
            "ours": [sample.value for sample in self.ours],
            "theirs": [sample.value for sample in self.theirs],
            "against": self.against,
            "busy": [[sample.busy for sample in samples] for samples in (self.ours, self.theirs)],
            "notes": self.notes(),
            "peers": {name: [sample.value for sample in samples] for name, samples in self.peers.items()},
            "median": [middle(self.ours), middle(self.theirs)],
            "ratio": median(found),
            "spread": [min(found), max(found)],
            "goal": goal.text(self.row.unit) if goal is not None else None,
            "met": self.met(),
        }


def ratios(ours: Sequence[Sample], theirs: Sequence[Sample]) -> list[float]:
    """Return the quotient of each pair.

    Neighbouring runs are compared, not medians: what disturbs the machine for a while disturbs both.
    """
    return [our.value / max(their.value, LEAST) for our, their in zip(ours, theirs, strict=True)]


def middle(samples: Iterable[Sample]) -> float:
    """Return the median of the figures."""
    return median(sample.value for sample in samples)


def render(results: Iterable[Result]) -> str:
    """Return the table as text."""
    lines = [HEADER, *(line for result in results for line in cells(result))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(align(line, widths) for line in lines)


def cells(result: Result) -> list[tuple[str, ...]]:
    """Return the lines of one row: ours, and one for each peer with our ratio to it."""
    row, found = result.row, result.ratios()
    goal = row.goal.text(row.unit) if row.goal is not None else ""
    met = {True: "yes", False: "no", None: ""}[result.met()]
    figures = (f"{median(found):.2f}", f"{min(found):.2f}–{max(found):.2f}")
    busy = f"{share(result.ours)} / {share(result.theirs)}"
    ours, theirs = amount(middle(result.ours)), amount(middle(result.theirs))
    lines = [(row.title, row.unit, ours, theirs, result.against, *figures, goal, met, busy)]
    for name, samples in result.peers.items():
        found = ratios(result.ours, samples)
        figures = (f"{median(found):.2f}", f"{min(found):.2f}–{max(found):.2f}")
        lines.append(("", row.unit, ours, amount(middle(samples)), name, *figures, "", "", ""))
    return lines


def share(samples: Sequence[Sample]) -> str:
    """Return how busy a server's core was."""
    known = [sample.busy for sample in samples if sample.busy is not None]
    return f"{median(known):.0%}" if known else "–"


def align(line: Sequence[str], widths: Sequence[int]) -> str:
    """Pad one line: words to the left, figures to the right."""
    padded = [
        cell.ljust(width) if column in WORDS else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def amount(value: float) -> str:
    """Return a figure with as many digits as the measurement is worth."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
