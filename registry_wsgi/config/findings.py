"""What is found out about a configuration while it is read: warnings, and everything that is wrong with it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Findings:
    """`warnings` are of what has no effect, `problems` of what cannot be used, both in the order they were found."""

    warnings: list[str] = field(default_factory=list)
    problems: list[ConfigurationError] = field(default_factory=list)

    def add(self, problem: ConfigurationError) -> None:
        """Add a problem, unless there is one of the same key already, or of one around or inside it.

        A key with a problem is read as if it were not there, and what comes of that is no news.
        """
        if not any(_related(_key(problem), _key(other)) for other in self.problems):
            self.problems.append(problem)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Add a problem that is raised inside, with the others that it brings, and go on behind it."""
        try:
            yield
        except ConfigurationError as error:
            for problem in (error, *error.others):
                self.add(problem)

    def raise_first(self) -> None:
        if self.problems:
            raise self.problems[0]


def _key(problem: ConfigurationError) -> str:
    """Return the key that a problem is of: every text begins with it."""
    return str(problem).partition(": ")[0]


def _related(one: str, other: str) -> bool:
    outer, inner = sorted((one, other), key=len)
    return inner.startswith(outer) and inner[len(outer) : len(outer) + 1] in ("", ".", "[")
