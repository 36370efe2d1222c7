"""nginx in front of a registry, and what `registry-wsgi self-test` says of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from tests.components import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from registry_wsgi.testing.certificates import Pair

WRAPPER = """
daemon off;
{user}
pid {work}/nginx.pid;
error_log {work}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log {work}/access.log;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    {server}
}}
"""


def server_of(file: Path, port: int, pair: Pair, changes: Mapping[str, str]) -> str:
    """Return an example's server with the port and the certificate of a test, and other `changes`."""
    server = file.read_text()
    places = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/registry/tls/registry.pem": str(pair.certificate),
        "/etc/registry/tls/registry.key": str(pair.key),
    }
    for ours, theirs in (*places.items(), *changes.items()):
        assert ours in server
        server = server.replace(ours, theirs)
    return server


@contextmanager
def nginx(work: Path, server: str, port: int) -> Iterator[None]:
    """Run nginx with one server until the block ends."""
    program = require("nginx")
    user = "user root;" if os.geteuid() == 0 else ""
    config = work / "nginx.conf"
    config.write_text(WRAPPER.format(work=work, server=server, user=user))
    process = subprocess.Popen([program, "-c", str(config), "-p", str(work)], start_new_session=True)
    try:
        wait_for(port, process, work)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def wait_for(port: int, process: subprocess.Popen[bytes], work: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with closing(socket.create_connection(("127.0.0.1", port), 1)):
                return
        except OSError:
            assert process.poll() is None, (work / "error.log").read_text()
            assert time.monotonic() < deadline, (work / "error.log").read_text()
            time.sleep(0.03)


def self_test(*arguments: str) -> tuple[int, str]:
    run = subprocess.run(
        [sys.executable, "-m", "registry_wsgi", "self-test", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.stderr == ""
    return run.returncode, run.stdout
