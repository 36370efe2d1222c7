"""The first thing that a newcomer types works: `make run` in a fresh copy of the project."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from tests.components import require
from tests.packaging import INSTALL_SECONDS, PROJECT, copy_of_the_project, in_ci_or_soak
from tests.wire import Client, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_SECONDS = 20.0
STOP_SECONDS = 30.0


@contextmanager
def make_run(project: Path, port: int, seconds: float) -> Iterator[float]:
    """Run `make run` and give the seconds that it took to answer."""
    settings = {"REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}", "PYTHON": sys.executable}
    with (project / "make.log").open("w+b") as log:
        started = time.monotonic()
        process = subprocess.Popen(
            [require("make"), "run"],
            cwd=project,
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while not answers(port):
                log.seek(0)
                assert process.poll() is None, log.read().decode()
                assert time.monotonic() < started + seconds, log.read().decode()
                time.sleep(0.05)
            yield time.monotonic() - started
        finally:
            # make hands the signal on to the registry, and waits for it.
            process.terminate()
            process.wait(STOP_SECONDS)


def answers(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


@in_ci_or_soak
def test_make_run_serves_a_registry_from_a_fresh_copy_and_starts_at_once_the_next_time(
    tmp_path: Path, free_port: int
) -> None:
    project = copy_of_the_project(tmp_path)
    client = Client(f"http://127.0.0.1:{free_port}")
    with make_run(project, free_port, INSTALL_SECONDS) as first:
        assert client.push_blob("hello", b"world") == digest_of(b"world")
    with make_run(project, free_port, START_SECONDS) as second:
        assert client.blob("hello", digest_of(b"world")).body == b"world"
        assert (project / "data").is_dir()
    assert not answers(free_port)
    assert "pip" not in (project / "make.log").read_text()
    # Reported, not asserted: how fast a machine is says nothing about the project.
    print(f"make run answered after {first:.1f} s, the next time after {second:.1f} s")


def test_make_help_lists_every_command() -> None:
    run = subprocess.run([require("make"), "help"], cwd=PROJECT, capture_output=True, text=True, check=True)
    for command in ("run", "test", "soak", "lint", "docs", "bench", "clean"):
        assert f"make {command}\t" in run.stdout
