"""Azurite, Microsoft's emulator of Azure Blob Storage, on loopback; npm has it."""

from __future__ import annotations

import atexit
import base64
import functools
import hashlib
import hmac
import http.client
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from tests import servers
from tests.components import alone, require, unavailable

VERSION = "3.37.0"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The well-known key of the well-known account, which Azurite's manual publishes."""

_INSTALL_SECONDS = 280
_READY_SECONDS = 60.0


def azurite_program() -> list[str]:
    """Return the command, after an installation into the user's cache if need be: once a machine."""
    require("node", "nodejs")
    npm = require("npm")
    directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / f"registry-wsgi-azurite-{VERSION}"
    script = directory / "node_modules/azurite/dist/src/blob/main.js"
    done = directory / "installed"
    with alone():
        if not done.exists():
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True, mode=0o700)
            command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", f"azurite@{VERSION}"]
            try:
                run = subprocess.run(
                    command, cwd=directory, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS
                )
            except subprocess.TimeoutExpired:
                unavailable(f"azurite is missing: npm install azurite took longer than {_INSTALL_SECONDS} s")
            if run.returncode:
                unavailable(f"azurite is missing; install it with: npm install azurite ({run.stderr[-400:].strip()})")
            done.touch()
    return [require("node", "nodejs"), str(script)]


@dataclass
class Azurite:
    """A running emulator with an empty container."""

    port: int
    process: subprocess.Popen[bytes]
    container: str = "registry"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    def section(self, rootdirectory: str = "") -> dict[str, str]:
        """Return what a configuration has in its section `storage.azure`."""
        return {
            "accountname": ACCOUNT,
            "accountkey": KEY,
            "container": self.container,
            "serviceurl": self.url,
            "rootdirectory": rootdirectory,
        }

    def make_container(self) -> int:
        """Ask for the container, and return the status of the answer."""
        date = formatdate(usegmt=True)
        path = f"/{ACCOUNT}/{self.container}"
        headers = f"x-ms-date:{date}\nx-ms-version:2021-12-02\n"
        text = "PUT" + "\n" * 12 + f"{headers}/{ACCOUNT}{path}\nrestype:container"
        signature = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)).decode()
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.putrequest("PUT", f"{path}?restype=container")
            sent = {"Authorization": f"SharedKey {ACCOUNT}:{signature}", "Content-Length": "0"}
            for name, value in {**sent, "x-ms-date": date, "x-ms-version": "2021-12-02"}.items():
                connection.putheader(name, value)
            connection.endheaders()
            return connection.getresponse().status

    def wait_until_ready(self, log: Path) -> None:
        """Return once the container is made."""
        deadline = time.monotonic() + _READY_SECONDS
        status = 0
        while status != 201:
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, f"the container was not made: {status}"
            with suppress(OSError, http.client.HTTPException):
                status = self.make_container()
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@functools.cache
def shared() -> Azurite:
    """Return the emulator that all tests of this process share, started by the first; use an own rootdirectory."""
    directory = Path(tempfile.mkdtemp(prefix="azurite-"))
    azurite = start(directory)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    atexit.register(azurite.stop)
    return azurite


def start(directory: Path) -> Azurite:
    """Start an emulator that keeps its blobs in `directory`, and make its container."""
    port = servers.free_port()
    with (directory / "azurite.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(*azurite_program(), "--blobHost", "127.0.0.1", "--blobPort", str(port)),
                *("-l", str(directory / "blobs"), "--silent", "--disableTelemetry", "--skipApiVersionCheck"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    azurite = Azurite(port, process)
    try:
        azurite.wait_until_ready(directory / "azurite.log")
    except BaseException:
        azurite.stop()
        raise
    return azurite
