"""The project as its users get it: a fresh copy, the wheels of core and plugins, environments with them alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROJECT = Path(__file__).parent.parent
INSTALL_SECONDS = 280.0


def in_ci_or_soak(test: Callable[..., None]) -> Callable[..., None]:
    """Leave the test out of a person's `make test`: it downloads all dependencies anew."""
    return test if os.environ.get("CI") == "true" else pytest.mark.soak(test)


def copy_of_the_project(directory: Path) -> Path:
    """Return a copy that has what is tracked, or would be, and nothing that earlier runs made."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    )
    copy = directory / "project"
    for name in filter(None, listing.stdout.decode().split("\0")):
        if (PROJECT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, copy / name)
    return copy


def build_wheels(directory: Path) -> Mapping[str, Path]:
    """Build the core and each plugin, the wheels from the source distributions; return those by their names."""
    project = copy_of_the_project(directory)
    built = {}
    for source in (project, *sorted((project / "plugins").iterdir())):
        # What builds is in this environment already: an isolated one would be downloaded for each.
        target = directory / "wheels" / source.name
        run = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(source)]
        done = subprocess.run(run, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        (wheel,) = target.glob("*.whl")
        built["registry-wsgi" if source == project else source.name] = wheel
    return built


def environment_with(
    directory: Path, *requirements: str | Path, find: Mapping[str, Path] | None = None, python: str = sys.executable
) -> Path:
    """Return the directory of the programs of a new environment that has `requirements`, and what they need.

    Wheels in `find` are taken where a requirement names their distribution.
    """
    subprocess.run([python, "-m", "venv", str(directory)], check=True, timeout=INSTALL_SECONDS)
    programs = directory / "bin"
    links = [f"--find-links={wheel.parent}" for wheel in (find or {}).values()]
    install = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--pre"]
    run = [*install, *links, *map(str, requirements)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return programs


def outside(**variables: str) -> dict[str, str]:
    """Return an environment in which nothing leads back to the sources or to this environment."""
    mine = ("PYTHON", "REGISTRY_", "VIRTUAL_ENV", "COVERAGE")
    return {name: value for name, value in os.environ.items() if not name.startswith(mine)} | variables
