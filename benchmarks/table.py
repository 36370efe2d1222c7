"""From the figures of all runs to the table: medians, ratios of neighbouring runs, and their spread."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HEADER = ("row", "unit", "ratio", "spread", "core busy")

# Growth below this is noise of the kernel's counting, and nothing to divide by.
LEAST = 0.1


@dataclass(frozen=True)
class Result:
    """All runs of one row: `values` and `busy` hold, for each rival, one entry to a round."""

    name: str
    title: str
    unit: str
    less_is_better: bool
    values: dict[str, list[float]]
    busy: dict[str, list[float]]

    def ratios(self, rival: str, reference: str) -> list[float]:
        """Return, round by round, how many times better `rival` did than `reference` just after it."""
        return pairwise_ratios(self.values[rival], self.values[reference], self.less_is_better)

    def to_dict(self, rival: str, reference: str) -> dict[str, object]:
        """Return what the JSON file holds of this row."""
        ratios = self.ratios(rival, reference)
        return {
            "name": self.name,
            "title": self.title,
            "unit": self.unit,
            "less_is_better": self.less_is_better,
            "values": self.values,
            "busy": self.busy,
            "median": {name: median(values) for name, values in self.values.items()},
            "ratio": median(ratios),
            "spread": [min(ratios), max(ratios)],
        }


def pairwise_ratios(ours: Sequence[float], theirs: Sequence[float], less_is_better: bool = False) -> list[float]:
    """Return how many times better ours is in each pair; above 1 we are ahead, whatever the unit.

    Neighbouring runs are compared, not medians: what disturbs the machine for a while disturbs both.
    """
    pairs = zip(ours, theirs, strict=True)
    if less_is_better:
        return [max(their, LEAST) / max(our, LEAST) for our, their in pairs]
    return [our / their for our, their in pairs]


def render(results: Iterable[Result], rival: str, reference: str) -> str:
    """Return the table as text."""
    row, unit, *judgement = HEADER
    lines = [(row, unit, rival, reference, *judgement)]
    lines += [cells(result, rival, reference) for result in results]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(align(line, widths) for line in lines)


def cells(result: Result, rival: str, reference: str) -> tuple[str, ...]:
    """Return one line of the table."""
    ratios = result.ratios(rival, reference)
    values = [amount(median(result.values[name])) for name in (rival, reference)]
    busy = " / ".join(f"{median(result.busy[name]):.0%}" for name in (rival, reference))
    spread = f"{min(ratios):.2f}–{max(ratios):.2f}"
    return (result.title, result.unit, *values, f"{median(ratios):.2f}", spread, busy)


def align(line: Sequence[str], widths: Sequence[int]) -> str:
    """Pad one line: words to the left, figures to the right."""
    words = [cell.ljust(width) for cell, width in zip(line[:2], widths[:2], strict=True)]
    figures = [cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True)]
    return "  ".join(words + figures).rstrip()


def amount(value: float) -> str:
    """Return a figure with as many digits as the measurement is worth."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
