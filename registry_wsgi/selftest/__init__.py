"""A running deployment tried from outside, with proxy, TLS and log-in: what a client would stumble over, in words.

A tiny image is pushed, pulled and deleted. Nothing of the configuration is known here: any registry that
speaks the OCI Distribution Spec can be asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry_wsgi.selftest import pull, push
from registry_wsgi.selftest.client import Client, Unreachable
from registry_wsgi.selftest.trial import Stop, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Client", "Finding", "run"]

_STEPS = (*push.STEPS, *pull.STEPS)


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one step: what is wrong, and what is only worth knowing. Both empty: it works."""

    step: str
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def run(client: Client, repository: str) -> Iterator[Finding]:
    """Yield a finding for each step, ending early where nothing further could work. What was pushed is deleted."""
    trial = Trial(client, repository)
    for title, step in _STEPS:
        trial.problems, trial.notes = [], []
        go_on = True
        try:
            step(trial)
        except (Stop, Unreachable) as error:
            trial.problems.append(str(error))
            go_on = False
        yield Finding(title, tuple(trial.problems), tuple(trial.notes))
        if not go_on:
            return
