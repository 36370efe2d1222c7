"""wrk and ab: how they are called, and how their reports are read."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from .content import ACCEPT
from .errors import BenchmarkError

if TYPE_CHECKING:
    from .wire import Target

CONNECTIONS = 16


def get(target: Target, path: str, seconds: float) -> float:
    """Return the GET requests a second that wrk measures over 16 kept connections."""
    return parse_wrk(report(wrk(target, path, seconds, CONNECTIONS)))


def slowest(target: Target, path: str, seconds: float) -> float:
    """Return the milliseconds within which 99 of 100 GET requests are answered, asked one after the other."""
    return parse_latency(report(wrk(target, path, seconds, 1, "--latency")))


def head(target: Target, path: str, seconds: float, *, missing: bool = False) -> float:
    """Return the HEAD requests a second that ab measures over 16 kept connections; wrk cannot send HEAD."""
    whole = max(1, round(seconds))
    # -n bounds the run as well, at 50,000 where it is not given; ab wants it after -t.
    command = ["ab", "-q", "-i", "-k", "-c", str(CONNECTIONS), "-t", str(whole), "-n", str(whole * 200_000)]
    return parse_ab(report([*command, *headers(target), target.url + path]), missing=missing)


def wrk(target: Target, path: str, seconds: float, connections: int, *options: str) -> list[str]:
    """Return wrk's command line."""
    whole = max(1, round(seconds))  # wrk takes no fractions
    command = ["wrk", "-t1", f"-c{connections}", f"-d{whole}s", "--timeout", "30s", *options]
    return [*command, *headers(target), target.url + path]


def headers(target: Target) -> list[str]:
    """Return the options that make wrk and ab send what docker does, and what the server asks for."""
    sent = {"Accept": ACCEPT, **target.headers}
    return [word for name, value in sent.items() for word in ("-H", f"{name}: {value}")]


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
    rate = number(r"^Requests/sec:\s+([\d.]+)", text, "wrk")
    if not rate:
        raise BenchmarkError("wrk: not one request was answered in time; give it more --seconds")
    return rate


def parse_latency(text: str) -> float:
    """Return the 99th percentile of `wrk --latency` in milliseconds."""
    parse_wrk(text)
    found = re.search(r"^\s*99%\s+([\d.]+)(us|ms|s)$", text, re.MULTILINE)
    if found is None:
        raise BenchmarkError(f"wrk reported no latency:\n{text.strip()}")
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def parse_ab(text: str, *, missing: bool = False) -> float:
    """Return `Requests per second` of a report in which every request succeeded on a kept connection.

    `missing` means that every one must have failed to find what it asked for.
    """
    for label in ("Failed requests", "Write errors"):
        found = re.search(rf"^{label}:\s+(\d+)", text, re.MULTILINE)
        if found and int(found[1]):
            raise BenchmarkError(f"ab: {found[0]}")
    complete = number(r"^Complete requests:\s+(\d+)", text, "ab")
    refused = re.search(r"^Non-2xx responses:\s+(\d+)", text, re.MULTILINE)
    if (int(refused[1]) if refused else 0) != (complete if missing else 0):
        raise BenchmarkError(f"ab: {refused[0] if refused else 'what should be missing was found'}")
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
