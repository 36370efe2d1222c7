"""The registries that are compared: how each is started, pinned to its core, and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self
from urllib.error import URLError
from urllib.request import urlopen

from .errors import BenchmarkError
from .processes import tree

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = {
    "registry-wsgi": (sys.executable, "-m", "registry_wsgi", "serve"),
    "docker-registry": ("docker-registry", "serve"),
}

# Both read the same file. JSON would do as well, but an operator should recognise it.
CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {root}}}
  cache: {{blobdescriptor: inmemory}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
"""

START_SECONDS = 30.0
STOP_SECONDS = 10.0


class Rival:
    """One registry, started for the `with` block on a port and in a directory of its own."""

    def __init__(self, name: str, kind: str, directory: Path, core: int) -> None:
        self.name = name
        self.core = core
        self.root = directory / name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = COMMANDS[kind]
        self._config = directory / f"{name}.yml"
        self._log = directory / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that was started; workers are found below it."""
        if self._process is None:
            raise BenchmarkError(f"{self.name} is not running")
        return self._process.pid

    def __enter__(self) -> Self:
        self.root.mkdir()
        self._config.write_text(CONFIGURATION.format(root=self.root, port=self.port))
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server on its core and wait for its first answer."""
        # The environment could override the file: registry:2 and we read every REGISTRY_*.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["taskset", "-c", str(self.core), *self._command, str(self._config)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches us alone, and we end the servers in order
            )
        try:
            self._await_answer()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server and what it started; harmless where it has ended already."""
        process, self._process = self._process, None
        if process is None:
            return
        family = tree(process.pid) if process.poll() is None else []
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pid in family:
            kill(pid, session=process.pid)

    def restart(self) -> None:
        """Begin anew on the same directory, so that memory starts from idle."""
        self.stop()
        self.start()

    def log_tail(self) -> str:
        """The last lines that the server wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise BenchmarkError(f"{self.name} ended while starting:\n{self.log_tail()}")
            try:
                with urlopen(f"{self.url}/v2/", timeout=5):
                    return
            except (URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        raise BenchmarkError(f"{self.name} gave no answer in {START_SECONDS:.0f} s:\n{self.log_tail()}")


def kill(pid: int, session: int) -> None:
    """End one process at once, where it still lives and is the one we mean: its number may be another's by now."""
    try:
        if os.getsid(pid) == session:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
