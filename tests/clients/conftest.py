"""Real clients, each on a machine of its own: own storage, own policy, nothing shared but the registry."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.components import require, require_user_namespaces
from tests.images import Layout, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENT_SECONDS = 240


@dataclass(frozen=True)
class Machine:
    """A place with its own containers/storage, from which clients push or pull."""

    directory: Path
    runtime: Path

    def __post_init__(self) -> None:
        for path in (self.directory / "home", self.directory / "tmp", self.runtime):
            path.mkdir(parents=True)
        policy = self.directory / "home" / ".config" / "containers" / "policy.json"
        policy.parent.mkdir(parents=True)
        policy.write_bytes(to_json({"default": [{"type": "insecureAcceptAnything"}]}))

    def skopeo(self, *arguments: str) -> bytes:
        return self._run([require("skopeo"), *arguments])

    def podman(self, *arguments: str) -> bytes:
        # Neither systemd nor a journal is asked for: containers of tests run where there is none.
        options = ["--cgroup-manager", "cgroupfs", "--events-backend", "file"]
        return self._run([require("podman"), *self._storage(), *options, *arguments])

    def buildah(self, *arguments: str) -> bytes:
        return self._run([require("buildah"), *self._storage(), *arguments])

    def _storage(self) -> list[str]:
        """vfs needs neither mounts of a kind nor kernel modules."""
        require_user_namespaces()
        root = self.directory / "storage"
        return ["--root", str(root), "--runroot", str(self.runtime), "--storage-driver", "vfs"]

    def _run(self, command: list[str]) -> bytes:
        private = {
            "HOME": str(self.directory / "home"),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "TMPDIR": str(self.directory / "tmp"),
        }
        run = subprocess.run(
            command,
            env=os.environ | private,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=CLIENT_SECONDS,
            check=False,
        )
        if run.returncode:
            pytest.fail(f"{' '.join(command)}\nended with status {run.returncode}:\n{run.stderr.decode()}")
        return run.stdout

    def switch_off(self) -> None:
        """End the process that podman, where it is not root's, leaves behind to hold its namespace."""
        pause = self.runtime / "libpod" / "tmp" / "pause.pid"
        if pause.exists():
            os.kill(int(pause.read_text()), signal.SIGKILL)


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """pytest's own, but emptied: half a gigabyte of layers a run is too much to keep."""
    yield tmp_path
    # An ordinary user's podman leaves directories that their owner may not write to.
    for parent, names, _files in os.walk(tmp_path):
        for directory in (Path(parent, name) for name in names):
            if not directory.is_symlink():
                directory.chmod(0o700)
    shutil.rmtree(tmp_path)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[[str], Machine]]:
    """Return new machines: `machine("laptop").skopeo("list-tags", …)`."""
    # podman refuses a runtime directory whose path has more than 50 characters, and pytest's are long.
    with TemporaryDirectory(prefix="run-") as runtime, ExitStack() as stack:

        def machine(name: str) -> Machine:
            new = Machine(tmp_path / name, Path(runtime) / name)
            stack.callback(new.switch_off)
            return new

        yield machine


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return an empty OCI layout to fill with what a test pushes."""
    return Layout(tmp_path / "layout")
