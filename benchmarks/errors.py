"""The one error of the benchmarks: what went wrong, in words for the person who started the run."""

from __future__ import annotations


class BenchmarkError(Exception):
    """A run that cannot give an honest figure; its text says why."""
