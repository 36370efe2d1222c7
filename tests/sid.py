"""Programs that only Debian's unstable suite has, unpacked beside the machine's own and never installed.

`require("cosign")` returns the path of a program. The suite is read with package lists of its own: the machine's
sources and packages stay as they are. Programs written in Go need nothing but themselves. It takes ten seconds, once.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests import components

SUITE = "sid"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def require(program: str) -> str:
    """Return the path of `program`, which the suite has in the package of the same name."""
    path, problem = _look_up(program)
    if path is None:
        components.unavailable(f"{program} is missing; Debian's {SUITE} has it ({problem})")
    return path


@functools.cache
def _look_up(program: str) -> tuple[str | None, str]:
    if installed := shutil.which(program):
        return installed, ""
    if not (shutil.which("apt-get") and shutil.which("dpkg") and KEYRING.exists()):
        return None, "this is no Debian"
    with components.alone():
        unpacked = _own_directory() / "root" / "usr" / "bin" / program
        problem = "" if unpacked.exists() else _unpack(program)
    return (str(unpacked), "") if unpacked.exists() else (None, problem or "the package has no such program")


def _own_directory() -> Path:
    """Return the directory that holds what is unpacked, for the next run, too; nobody else may have made it."""
    directory = Path(tempfile.gettempdir()) / f"registry-wsgi-tests-{os.geteuid()}-{SUITE}"
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.is_symlink() or directory.stat().st_uid != os.geteuid():
        raise PermissionError(f"{directory} belongs to another user")
    return directory


def _unpack(package: str) -> str:
    """Download and unpack the package; return what went wrong."""
    directory = _own_directory()
    archive = _archive()
    if not archive:
        return "apt knows no archive of Debian"
    for name in ("state/lists/partial", "cache/archives/partial", "root"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    sources = directory / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {archive} {SUITE} main\n")
    own = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": directory / "state",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": directory / "cache",
        "APT::Sandbox::User": "root",  # apt's own user may not write to a directory that is only ours
    }
    options = [f"-o{name}={value}" for name, value in own.items()]
    # A failed update is not the end: lists of an earlier run may do.
    problem = components.run_apt(*options, "update", "-qq")
    problem = components.run_apt(*options, "download", "-qq", package, directory=directory) or problem
    for deb in directory.glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb, directory / "root"], check=True)
        deb.unlink()
    return problem


def _archive() -> str:
    """Return where the machine gets Debian's packages from, empty where it does not."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Identifier: Packages", "Label: Debian"]
    for update_first in (False, True):
        if update_first and (os.geteuid() != 0 or components.run_apt("update", "-qq")):
            return ""
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        if found:
            return found[0]
    return ""
