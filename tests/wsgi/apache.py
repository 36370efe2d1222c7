"""The registry below Apache: mod_wsgi-express, built against Debian's Apache, in an environment of its own."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests import packaging, servers
from tests.components import require

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = ("--threads", "8", "--chunked-request", "--limit-request-body", "0", "--request-timeout", "3600")
"""What docs/servers.md says that a registry wants."""
PACKAGES = {
    "apache2": "apache2-bin",
    "apxs": "apache2-dev",
    "python3-config": "python3-dev",
}
NOBODY = "www-data"


@contextmanager
def environment(wheel: Path) -> Iterator[Path]:
    """Give a directory for all users of this machine, with an environment of the system's Python in it."""
    for program, package in PACKAGES.items():
        require(program, package)
    directory = Path(tempfile.mkdtemp(prefix="registry-apache-"))
    try:
        directory.chmod(0o755)
        # Apache's processes are nobody's and have to read all of it, which a Python below /root does not let them.
        packaging.environment_with(directory / "environment", wheel, "mod_wsgi", python="/usr/bin/python3")
        yield directory
    finally:
        shutil.rmtree(directory)


def start(directory: Path) -> servers.Server:
    """Start a registry on new storage in the directory, as a user without rights, and return it once it answers."""
    work = Path(tempfile.mkdtemp(dir=directory))
    port = servers.free_port()
    config, log = work / "config.yml", work / "log"
    config.write_text(json.dumps(servers.configuration(work / "data", port)))
    (work / "registry_app.py").write_text("from registry_wsgi import create_app\napplication = create_app()\n")
    user = None
    if os.geteuid() == 0:
        user = NOBODY
        os.chown(work, pwd.getpwnam(user).pw_uid, -1)
    command = [
        *(directory / "environment" / "bin" / "mod_wsgi-express", "start-server", "--application-type", "module"),
        *("--host", "127.0.0.1", "--port", str(port), "--server-root", work / "apache", "--log-to-terminal"),
        *("--httpd-executable", require("apache2", "apache2-bin"), "--locale", "C.UTF-8", *OPTIONS, "registry_app"),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=work,
            env=packaging.outside(REGISTRY_CONFIGURATION_PATH=str(config), HOME=str(work)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
            extra_groups=None if user is None else [],
        )
    server = servers.Server(f"http://127.0.0.1:{port}", process, config, log)
    server.wait_until_ready()
    return server
