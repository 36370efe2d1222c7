"""Where and when the figures were taken; without that they mean nothing to another reader."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from . import tools
from .content import CHUNK, MEGABYTE

if TYPE_CHECKING:
    from collections.abc import Sequence

DISK_PROBE = 256
CALLS = 2_000_000


def facts(directory: Path) -> dict[str, str]:
    """Return what to print above the table."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": f"{os.cpu_count()}",
        "load average": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "kernel": f"{platform.system()} {platform.release()}",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "its speed": f"{python_speed():.0f} million calls/s",
        "registry-wsgi": package("registry-wsgi"),
        "granian": package("granian"),
        "gunicorn": package("gunicorn"),
        "docker-registry": first_line(["docker-registry", "--version"]),
        "nginx": first_line([tools.find("nginx") or "nginx", "-v"]),
        "wrk": first_line(["wrk", "-v"]),
        "ab": first_line(["ab", "-V"]),
        "disk": f"{disk_speed(directory):,.0f} MB/s written and flushed",
    }


def processor() -> str:
    """Return the name that the processor gives itself."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def python_speed() -> float:
    """Return the millions of calls of an empty function in a second: interpreters of one version differ by a half.

    Those of distributions are built with optimization by profiles, those that people build are as a rule not.
    """
    begun = time.perf_counter()
    for _ in range(CALLS):
        nothing()
    return CALLS / (time.perf_counter() - begun) / 1e6


def nothing() -> None:
    """Do what is measured by `python_speed`."""


def package(name: str) -> str:
    """Return the version of an installed Python package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def first_line(command: Sequence[str]) -> str:
    """Return the first line a program says about itself; wrk says it with an exit status of 1."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).partition("\n")[0].strip()


def disk_speed(directory: Path) -> float:
    """Return MB/s of a plain write and flush: no durable upload can be faster."""
    block = os.urandom(CHUNK)
    path = directory / "disk-probe"
    begun = time.monotonic()
    with path.open("wb", buffering=0) as file:
        for _ in range(DISK_PROBE):
            file.write(block)
        os.fsync(file.fileno())
    elapsed = time.monotonic() - begun
    path.unlink()
    return DISK_PROBE * CHUNK / elapsed / MEGABYTE
