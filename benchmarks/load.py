"""wrk and ab: how they are called, and how their reports are read."""

from __future__ import annotations

import re
import subprocess

from .content import ACCEPT
from .errors import BenchmarkError

CONNECTIONS = 16


def get(url: str, seconds: float) -> float:
    """Return the GET requests a second that wrk measures over 16 kept connections."""
    whole = max(1, round(seconds))  # wrk takes no fractions
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{whole}s", "--timeout", "30s", "-H", f"Accept: {ACCEPT}", url]
    return parse_wrk(report(command))


def head(url: str, seconds: float) -> float:
    """Return the HEAD requests a second that ab measures over 16 kept connections; wrk cannot send HEAD."""
    whole = max(1, round(seconds))
    # -n bounds the run as well, at 50,000 where it is not given; ab wants it after -t.
    command = ["ab", "-q", "-i", "-k", "-c", str(CONNECTIONS), "-t", str(whole), "-n", str(whole * 200_000), url]
    return parse_ab(report(command))


def report(command: list[str]) -> str:
    """Run a load generator on our own core, which it inherits, and return what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def parse_wrk(text: str) -> float:
    """Return `Requests/sec` of a report in which every request succeeded."""
    for trouble in re.findall(r"^\s*((?:Non-2xx|Socket errors).*)$", text, re.MULTILINE):
        raise BenchmarkError(f"wrk: {trouble}")
    return number(r"^Requests/sec:\s+([\d.]+)", text, "wrk")


def parse_ab(text: str) -> float:
    """Return `Requests per second` of a report in which every request succeeded on a kept connection."""
    for label in ("Failed requests", "Write errors", "Non-2xx responses"):
        found = re.search(rf"^{label}:\s+(\d+)", text, re.MULTILINE)
        if found and int(found[1]):
            raise BenchmarkError(f"ab: {found[0]}")
    complete = number(r"^Complete requests:\s+(\d+)", text, "ab")
    kept = number(r"^Keep-Alive requests:\s+(\d+)", text, "ab")
    if not complete or kept < 0.9 * complete:
        raise BenchmarkError(f"ab: only {kept:.0f} of {complete:.0f} requests came over a kept connection")
    return number(r"^Requests per second:\s+([\d.]+)", text, "ab")


def number(pattern: str, text: str, program: str) -> float:
    """Return the number that `pattern` finds, without which the report is no result."""
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise BenchmarkError(f"{program} reported no result:\n{text.strip()}")
    return float(found[1])
