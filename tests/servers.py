"""Registries that run as processes of their own: ours on several WSGI servers, and Debian's docker-registry.

Every one listens on a free loopback port, is a session of its own and is ended by its own process id.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import storages
from tests.components import require
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

READY_SECONDS = 30.0
STOP_SECONDS = 20.0


def free_port() -> int:
    """Return a loopback port on which nothing listens."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def configuration(directory: Path, port: int, sections: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a configuration in registry:2's shape: storage in `directory`, deletion on.

    `sections` are merged over it, key by key at every level; a driver that they name is the only one.
    """
    own = storages.section(directory)
    named = (sections or {}).get("storage", {}).keys() - {"cache", "delete", "maintenance", "redirect", "tag"}
    base: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "info"},
        "storage": {**({} if named - own.keys() else own), "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    return _merge(base, sections or {})


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both_are_sections = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both_are_sections else value
    return merged


# ── how each kind is started ──────────────────────────────────────────────────────────────────


def _granian(config: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "registry_wsgi", "serve", str(config)]


def _gunicorn(config: Path, port: int) -> list[str]:
    # The control socket is one path for all gunicorns of a user.
    return [
        *(sys.executable, "-m", "gunicorn", "--no-control-socket"),
        *("--bind", f"127.0.0.1:{port}"),
        "registry_wsgi:create_app()",
    ]


def _gthread(config: Path, port: int) -> list[str]:
    return [*_gunicorn(config, port), "--worker-class", "gthread", "--threads", "8"]


def _bothways(config: Path, port: int) -> list[str]:
    *command, _ = _gunicorn(config, port)
    here = str(Path(__file__).parents[1])
    return [
        *command,
        "--pythonpath",
        here,
        "tests.bothways:create_app()",
        "--worker-class",
        "gthread",
        "--threads",
        "8",
    ]


def _gevent(config: Path, port: int) -> list[str]:
    return [*_gunicorn(config, port), "--worker-class", "gevent"]


def _uwsgi(config: Path, port: int) -> list[str]:
    # It takes no call in the place of an application's name.
    config.with_name("uwsgi_app.py").write_text("from registry_wsgi import create_app\napplication = create_app()\n")
    return [
        *(str(Path(sys.executable).with_name("uwsgi")), "--http11-socket", f"127.0.0.1:{port}"),
        *("--master", "--die-on-term", "--need-app", "--enable-threads", "--threads", "8"),
        *("--pythonpath", str(config.parent), "--module", "uwsgi_app"),
    ]


def _waitress(config: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{port}", "--call", "registry_wsgi:create_app"]


# These two have no command for an application that a function makes.
_CHEROOT = """
import sys
from cheroot.wsgi import Server
from registry_wsgi import create_app
Server(("127.0.0.1", int(sys.argv[1])), create_app(), numthreads=8).safe_start()
"""
_WSGIREF = """
import sys
from wsgiref.simple_server import make_server
from registry_wsgi import create_app
make_server("127.0.0.1", int(sys.argv[1]), create_app()).serve_forever()
"""


def _cheroot(config: Path, port: int) -> list[str]:
    return [sys.executable, "-c", _CHEROOT, str(port)]


def _wsgiref(config: Path, port: int) -> list[str]:
    return [sys.executable, "-c", _WSGIREF, str(port)]


def _docker_registry(config: Path, port: int) -> list[str]:
    if "azure" in json.loads(config.read_text())["storage"]:
        pytest.skip("Debian builds docker-registry without its driver for Azure")
    return [require("docker-registry"), "serve", str(config)]


KINDS: dict[str, Callable[[Path, int], list[str]]] = {
    "granian": _granian,
    "gunicorn": _gunicorn,
    "gthread": _gthread,
    "bothways": _bothways,
    "gevent": _gevent,
    "uwsgi": _uwsgi,
    "waitress": _waitress,
    "cheroot": _cheroot,
    "wsgiref": _wsgiref,
    "docker-registry": _docker_registry,
}


@dataclass
class Server:
    """A running registry: its `url`, its process, and the files that have its configuration and its output."""

    url: str
    process: subprocess.Popen[bytes]
    config: Path
    log: Path

    @property
    def host(self) -> str:
        """Return `127.0.0.1:port`, as clients write it before a repository's name."""
        return self.url.removeprefix("http://")

    def log_tail(self, characters: int = 4000) -> str:
        return self.log.read_text(errors="replace")[-characters:]

    def wait_until_ready(self, seconds: float = READY_SECONDS, answers: Callable[[Server], bool] | None = None) -> None:
        """Return once `/v2/` answers; fail with the log where the process ends or the time is over.

        `answers` asks a server to which plain HTTP over TCP is no language.
        """
        deadline = time.monotonic() + seconds
        while not (answers(self) if answers else self._answers()):
            status = self.process.poll()
            if status is not None:
                raise AssertionError(f"the server ended with status {status}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"no answer from {self.url}/v2/ after {seconds} s:\n{self.log_tail()}")
            time.sleep(0.03)

    def _answers(self) -> bool:
        with closing(http.client.HTTPConnection(self.host, timeout=5)) as connection:
            try:
                connection.request("GET", "/v2/")
                return connection.getresponse().status < 500
            except (OSError, http.client.HTTPException):
                return False

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """Ask the server to end, wait for it, and return its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running {seconds} s after SIGTERM:\n{self.log_tail()}") from None

    def kill(self) -> None:
        """End the server and its workers at once, as a power cut would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            until(lambda: not _is_there(self.process.pid))


def _is_there(group: int) -> bool:
    """Tell whether a process of the group holds anything yet: what has no more than to be reaped does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, member_of = stat.read_text().rpartition(")")[2].split()[:3]
            if int(member_of) == group and (state not in "ZX" or len(os.listdir(stat.parent / "task")) > 1):
                return True
    return False


def start(
    kind: str,
    directory: Path,
    work: Path,
    *,
    sections: Mapping[str, Any] | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    answers: Callable[[Server], bool] | None = None,
) -> Server:
    """Start a registry of one of KINDS on `directory` and return it once it answers.

    `work` is an own directory for its configuration and log, `sections` go over the configuration,
    `arguments` at the end of the command line; `answers` is as for `wait_until_ready`.
    """
    port = free_port()
    config = work / f"config-{port}.yml"
    config.write_text(json.dumps(configuration(directory, port, sections)))  # JSON is YAML too
    log = work / f"{kind}-{port}.log"
    # Variables of the person who runs the tests must not reach into the configuration under test.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "AWS_"))}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*KINDS[kind](config, port), *arguments],
            cwd=work,
            env=inherited | {"REGISTRY_CONFIGURATION_PATH": str(config)} | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", process, config, log)
    server.wait_until_ready(answers=answers)
    return server
