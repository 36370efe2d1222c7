"""Real components that tests run against: found, or installed from Debian's packages where that may be done.

`require("skopeo")` returns the program's path. A missing program is installed by root on a machine
with apt; where it is still missing the test fails under CI=true and is skipped elsewhere.
"""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

UPDATE_EVERY = 3600  # seconds for which the package lists of one `apt-get update` are taken as fresh
APT_SECONDS = 240

# Debian's maintainer scripts start the daemons that they bring. Tests start their own, on loopback and on
# free ports, so systemctl is told to do nothing; the other two keep apt from asking and from waiting.
APT_ENVIRONMENT = {"SYSTEMD_OFFLINE": "1", "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}


def require(program: str, package: str = "") -> str:
    """Return the path of `program`, which Debian has in `package` (by default of the same name)."""
    package = package or program
    path, problem = _look_up(program, package)
    if path is None:
        _missing(program, package, problem)
    return path


def require_user_namespaces() -> None:
    """Ask for what podman and buildah need to unpack images where they are not run by root."""
    if not _may_unpack():
        unavailable("podman and buildah need root here, or a kernel that gives everyone user namespaces")


@functools.cache
def _may_unpack() -> bool:
    return os.geteuid() == 0 or subprocess.run(["unshare", "--user", "true"], check=False).returncode == 0


@functools.cache
def _look_up(program: str, package: str) -> tuple[str | None, str]:
    """Return the program's path, after an installation if need be, or what stood in the way; once a session."""
    path, problem = _find(program), ""
    if path is None and _may_install():
        with alone():
            # Another test process may have installed it while this one waited.
            if _find(program) is None:
                problem = _install(package)
        path = _find(program)
    return path, problem


def _find(program: str) -> str | None:
    """Look in the administrator's directories too, which an ordinary user's PATH leaves out."""
    return shutil.which(program) or shutil.which(program, path="/usr/local/sbin:/usr/sbin:/sbin")


def _may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _lock_path() -> Path:
    return Path(tempfile.gettempdir()) / f"registry-wsgi-tests-{os.geteuid()}.lock"


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock that test processes of one machine share: apt refuses a second one at a time."""
    descriptor = os.open(_lock_path(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _install(package: str) -> str:
    """Install the package and return what apt said where it failed."""
    updated = _lock_path().with_suffix(".updated")
    fresh = updated.exists() and time.time() - updated.stat().st_mtime < UPDATE_EVERY
    # A failed update is not the end: the lists that are there may do.
    if not fresh and not run_apt("update", "-qq"):
        updated.touch()
    return run_apt("install", "-y", "-qq", "--no-install-recommends", package)


def run_apt(*arguments: str, directory: Path | None = None) -> str:
    """Run apt-get, in `directory` if one is given, and return what it said where it failed."""
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=120", *arguments]
    try:
        run = subprocess.run(
            command,
            cwd=directory,
            env=os.environ | APT_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=APT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"`{' '.join(command)}` took longer than {APT_SECONDS} s"
    if run.returncode == 0:
        return ""
    return f"`{' '.join(command)}` failed: {run.stdout[-600:].strip()}"


def _missing(program: str, package: str, problem: str) -> NoReturn:
    message = f"{program} is missing; install it with: apt-get install {package}"
    unavailable(f"{message} ({problem})" if problem else message)


def unavailable(message: str) -> NoReturn:
    """Fail in CI and skip elsewhere: a component cannot be had."""
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
