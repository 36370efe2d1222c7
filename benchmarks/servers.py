"""The servers that are compared: each is started when a row first asks for it, pinned to its core, and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import Request, urlopen

from . import client
from .errors import BenchmarkError
from .kinds import KINDS, Place
from .processes import tree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .content import Image

OURS = "registry-wsgi"
"""The server that the image is pushed to."""

START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.005


@dataclass(frozen=True)
class Peer:
    """A registry that runs already, wherever that is: there is a URL, and nothing else to be known of it."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    pid: int | None = None
    root: Path | None = None


class Server:
    """One server, on a port of its own. `headers` are what requests to it need; `root` is its storage.

    Its events, if it raises any, wait in `outbox`.
    """

    def __init__(self, name: str, place: Place, core: int) -> None:
        self.name = name
        self.core = core
        self.url = f"http://127.0.0.1:{place.port}"
        launch = KINDS[name](place)
        self.root = launch.root
        self.headers = launch.headers
        self.outbox = launch.outbox
        self._command = launch.command
        self._log = place.directory / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process that was started; workers are found below it."""
        return self._process.pid if self._process is not None else None

    def start(self) -> float:
        """Start the server on its core and wait for its first answer; return the seconds that took."""
        # What a service manager gives. registry:2 and we read every REGISTRY_*; granian copies all of it for each
        # request, the forty variables of a shell in 3 µs; and PYTHONDONTWRITEBYTECODE has a checkout compiled at
        # each start, in 0.3 s, which what is installed never is.
        environment = {name: os.environ[name] for name in ("HOME", "LANG", "PATH", "TMPDIR") if name in os.environ}
        begun = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["taskset", "-c", str(self.core), *self._command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches us alone, and we end the servers in order
            )
        try:
            self._await_answer(begun + START_SECONDS)
        except BaseException:
            self.stop()
            raise
        return time.monotonic() - begun

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

    def restart(self) -> float:
        """Begin anew on the same directory; return the seconds to the first answer."""
        self.stop()
        return self.start()

    def log_tail(self) -> str:
        """The last lines that the server wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])

    def _await_answer(self, deadline: float) -> None:
        request = Request(f"{self.url}/v2/", headers=self.headers)
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise BenchmarkError(f"{self.name} ended while starting:\n{self.log_tail()}")
            try:
                with urlopen(request, timeout=5):
                    return
            except (URLError, ConnectionError, TimeoutError):
                time.sleep(POLL_SECONDS)
        raise BenchmarkError(f"{self.name} gave no answer in {START_SECONDS:.0f} s:\n{self.log_tail()}")


class Servers:
    """All that a run compares. They share one storage, so that they serve the very same bytes; some have their own."""

    def __init__(self, directory: Path, memory: Path, core: int, image: Image) -> None:
        self._directory = directory
        self._memory = memory
        self._core = core
        self._image = image
        self._running: dict[str, Server] = {}
        self._pushed = False

    def get(self, name: str) -> Server:
        """Return the server, running, and holding the image if it is one of those that share the storage."""
        if name not in self._running:
            place = Place(self._directory / name.replace(" ", "-"), self._directory / "storage", self._memory, port())
            place.directory.mkdir()
            server = Server(name, place, self._core)
            server.start()
            self._running[name] = server
            if server.root == place.shared:
                self._hold_image(server)
        return self._running[name]

    def stop(self) -> None:
        """End them all."""
        while self._running:
            self._running.popitem()[1].stop()

    def _hold_image(self, server: Server) -> None:
        """See that the shared storage has the image, and that the server answers with it."""
        if server.name != OURS:
            self.get(OURS)
        elif not self._pushed:
            client.push(server, self._image)
            self._pushed = True
        client.check(server, self._image, manifests=server.name != "nginx")


def kill(pid: int, session: int) -> None:
    """End one process at once, where it still lives and is the one we mean: its number may be another's by now."""
    try:
        if os.getsid(pid) == session:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def port() -> int:
    """Return a port of the loopback address that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number
