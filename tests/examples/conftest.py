"""Servers that are started as an example says, in its own directory."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from tests import servers, storages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXAMPLES = Path(__file__).parents[2] / "examples"


class Start(Protocol):
    def __call__(
        self, example: str, *arguments: str, environment: Mapping[str, str], program: str = "gunicorn"
    ) -> servers.Server: ...


@pytest.fixture
def start_gunicorn(tmp_path: Path) -> Iterator[Start]:
    """Start gunicorn in the directory of an example, on a free port: `start("flask_host", "app:app", environment={})`.

    The registry's storage is `tmp_path / "data"`. Another `program` takes its port by `--port`.
    """
    with ExitStack() as stack:

        def start(
            example: str, *arguments: str, environment: Mapping[str, str], program: str = "gunicorn"
        ) -> servers.Server:
            port = servers.free_port()
            log = tmp_path / f"{program}-{port}.log"
            settings = {
                "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{port}",
                **storages.environment(tmp_path / "data"),
                "PYTHONDONTWRITEBYTECODE": "1",  # examples stay as they are in the repository
            }
            inherited = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        program,
                        *arguments,
                        *(() if program == "gunicorn" else ("--port", str(port))),
                    ],
                    cwd=EXAMPLES / example,
                    env=inherited | settings | dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            server = servers.Server(f"http://127.0.0.1:{port}", process, EXAMPLES / example, log)
            stack.callback(server.kill)
            server.wait_until_ready()
            return server

        yield start
