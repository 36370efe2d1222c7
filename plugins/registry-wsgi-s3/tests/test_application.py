"""The application's own tests over this driver: `make soak` runs all of them, `make test` a part."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
PART = ("tests/api/test_resuming.py", "tests/api/test_mounting.py")
WHOLE = ("tests/api", "tests/storage", "tests/conformance", "tests/attacks", "tests/clients")


def run(*paths: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--storage-driver",
        "s3",
        "-m",
        "not soak",
    ]
    finished = subprocess.run([*command, *paths], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout[-8000:]


def test_a_part_of_the_application_works_over_s3():
    run(*PART)


@pytest.mark.soak
def test_the_whole_application_works_over_s3():
    run(*WHOLE)
