"""The programs that the benchmarks call, and their Debian packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from .errors import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGES = {
    "wrk": "wrk",
    "ab": "apache2-utils",
    "taskset": "util-linux",
    "docker-registry": "docker-registry",
    "nginx": "nginx-light",
}

# The packages of servers start them, on every address; systemctl is told to do nothing.
APT_ENVIRONMENT = {"SYSTEMD_OFFLINE": "1", "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}


def find(program: str) -> str | None:
    """Look in the administrator's directories too, which an ordinary user's PATH leaves out."""
    return shutil.which(program) or shutil.which(program, path="/usr/local/sbin:/usr/sbin:/sbin")


def require(programs: Iterable[str]) -> None:
    """Install what is missing of `programs` where root and apt allow it; otherwise say what to install."""
    packages = sorted({PACKAGES[program] for program in programs if find(program) is None})
    if not packages:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BenchmarkError(f"missing programs; install them with: apt-get install {' '.join(packages)}")
    print(f"installing {' '.join(packages)}", flush=True)
    install(packages)


def install(packages: list[str]) -> None:
    """Install Debian packages, reading the package lists anew only where the known ones do not suffice."""
    command = ("install", "-y", "--no-install-recommends", *packages)
    problem = apt(*command)
    if problem:
        apt("update")
        problem = apt(*command)
    if problem:
        raise BenchmarkError(f"apt-get {' '.join(command)} failed:\n{problem}")


def apt(*arguments: str) -> str:
    """Run apt-get and return what it said where it failed."""
    done = subprocess.run(
        ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *arguments],
        env=os.environ | APT_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout[-2000:].strip() if done.returncode else ""
