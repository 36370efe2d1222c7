"""examples/compose: its services are read as compose does, and its configurations run on this machine's own servers."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from registry_wsgi.testing.certificates import authority
from tests.examples.proxies import nginx, self_test, server_of
from tests.packaging import copy_of_the_project
from tests.redis_servers import RedisServer

if TYPE_CHECKING:
    from tests.conftest import Serve

EXAMPLE = Path(__file__).parents[2] / "examples" / "compose"
ROOT = "/var/lib/registry"


def test_compose_reads_its_file() -> None:
    podman_compose = str(Path(sys.executable).with_name("podman-compose"))
    run = subprocess.run([podman_compose, "config"], cwd=EXAMPLE, capture_output=True, text=True, check=True)
    services = yaml.safe_load(run.stdout)["services"]
    assert set(services) == {"registry", "cache", "nginx"}
    assert services["nginx"]["ports"] == ["443:443"]
    # What the services are told to find in a file of this directory is there.
    mounted = [volume for service in services.values() for volume in service.get("volumes", ())]
    files = {volume.split(":")[0] for volume in mounted if volume.startswith("./")} - {"./tls"}
    assert files == {"./config.yml", "./registry.conf"}
    assert all((EXAMPLE / file).is_file() for file in files)


def test_what_the_image_is_made_of_can_be_installed(tmp_path: Path) -> None:
    """pip looks whether it can, in a copy, and leaves it at that."""
    project = copy_of_the_project(tmp_path)
    (arguments,) = re.findall(r"pip install (.*?) \\\n", (EXAMPLE / "Dockerfile").read_text())
    looking = ["--dry-run", "--no-index", "--no-build-isolation", *shlex.split(arguments.replace("/src", str(project)))]
    run = subprocess.run(
        [sys.executable, "-m", "pip", "install", *looking], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "does not provide the extra" not in run.stderr
    assert "Would install registry-wsgi-" in run.stdout


def test_nginx_is_told_what_the_example_with_nginx_tells_it() -> None:
    def directives(path: Path) -> list[str]:
        return [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]

    there = directives(EXAMPLE.with_name("nginx") / "registry.conf")
    assert directives(EXAMPLE / "registry.conf") == [
        line.replace("http://127.0.0.1:5000", "http://registry:5000") for line in there
    ]


def test_nothing_is_wrong_with_the_services_together(serve: Serve, tmp_path: Path, free_port: int) -> None:
    data = tmp_path / "data"
    trusted = authority(tmp_path)
    cache = RedisServer(tmp_path)
    cache.start()
    try:
        text = (EXAMPLE / "config.yml").read_text().replace(ROOT, str(data))
        sections = yaml.safe_load(text.replace("cache:6379", cache.address))
        del sections["http"]["addr"]
        registry = serve(data, sections=sections, arguments=["--workers", "2"])
        changes = {"http://registry:5000": registry.url, f"{ROOT}/": f"{data}/"}
        server = server_of(EXAMPLE / "registry.conf", free_port, trusted.issue("registry"), changes)
        with nginx(tmp_path, server, free_port):
            status, output = self_test(f"https://127.0.0.1:{free_port}", "--cacert", str(trusted.certificate))
    finally:
        cache.stop()
    assert (status, "problem" in output) == (0, False), output
