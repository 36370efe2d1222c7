"""Every command of every page is run as a reader types it, or stands in not_here.py with the reason why not."""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import skopeo
from tests.components import require
from tests.docs.not_here import OTHERS, RUN_ELSEWHERE, SHORTENED
from tests.docs.pages import PAGES, blocks, commands, commands_of
from tests.packaging import PROJECT, copy_of_the_project
from tests.wire import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Serve

WITH_A_REGISTRY = {"README.md", "docs/conformance.md"}
"""Pages that speak to a registry which another page, or a command that is run elsewhere, has started."""

OWN_TESTS = {"docs/getting-started.md", "docs/migrating.md"}
"""Pages of which more is asked than that their commands succeed."""

RUN_HERE = [page for page in PAGES if page not in OWN_TESTS and set(commands(page)) - set(OTHERS.get(page, ()))]

SECONDS = 200.0
SERVES = re.compile(r"(^|\s)(registry-wsgi serve|gunicorn)\b")
UNTIL_READY = """
for _ in $(seq 600); do curl --silent http://127.0.0.1:5000/ > /dev/null && break; sleep 0.1; done
"""
END_THE_LAST = 'test -z "${serving-}" || { kill "$serving"; wait "$serving" || true; }'


def script_of(page: str) -> str:
    """Return the page as a shell script: its commands, and its YAML files, which begin with their names.

    A server stays in the foreground of its reader; here it goes to the background, until there is another.
    """
    parts = ["set -eux -o pipefail"]
    if page in WITH_A_REGISTRY:
        parts += served("registry-wsgi serve")
    for block in blocks(page, "sh", "yaml"):
        if block.language == "yaml":
            if block.content.startswith("# ") and block.content.splitlines()[0].endswith(".yml"):
                parts.append(f"cat > {block.content.splitlines()[0].removeprefix('# ')} <<'END'\n{block.content}END\n")
            continue
        for command in commands_of(block):
            if command in OTHERS.get(page, ()):
                continue
            if command.endswith(" &"):
                parts += [command, UNTIL_READY]
            elif SERVES.search(command) and not command.startswith("pip "):
                parts += served(command)
            else:
                parts.append(f"{command} {SHORTENED.get(command, '')}")
    return "\n".join(parts)


def served(command: str) -> list[str]:
    return [END_THE_LAST, f"{command} &", "serving=$!", UNTIL_READY]


def type_in(page: str, directory: Path, port: int, *, home: Path | None = None) -> str:
    """Run the commands of a page in a directory, with another port, and return what they said."""
    for program in ("skopeo", "curl"):
        require(program)
    require("htpasswd", "apache2-utils")
    home = home or directory
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
    script = re.sub(r"127\.0\.0\.1:[58]000", f"127.0.0.1:{port}", script_of(page))
    script = script.replace("/tmp/registry", f"{home}/registry").replace("/etc/registry.yml", f"{home}/registry.yml")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    with subprocess.Popen(
        [
            "bash",
            "-c",
            script.replace("/tmp/registry", f"{home}/registry").replace("/etc/registry.yml", f"{home}/c.yml"),
        ],
        cwd=directory,
        # Where the servers listen and what they write to is this test's, not the reader's. pip looks whether what it
        # is told can be installed, with all that it needs, and leaves it at that: test_packaging.py installs.
        env=inherited
        | {
            "PATH": path,
            "HOME": str(home),
            "REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}",
            "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{port} --no-control-socket",
            "SITE_REGISTRY": f"{home}/site",
            "SITE_DATA": f"{home}/site",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PIP_DRY_RUN": "1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # to pip's parser that is: no isolation
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        ended = False
        try:
            status, ended = shell.wait(SECONDS), True
        finally:
            # A registry of the last block is still there, and holds the other end of the pipe.
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGTERM if ended else signal.SIGKILL)
        assert shell.stdout
        output = shell.stdout.read()
    assert status == 0, output
    return output


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project, in which the commands of its pages may leave what they like."""
    directory = tmp_path_factory.mktemp("copy")
    yield copy_of_the_project(directory)
    shutil.rmtree(directory)


@pytest.mark.parametrize("page", RUN_HERE)
def test_the_commands_of_a_page_succeed(page: str, project: Path, tmp_path: Path, free_port: int) -> None:
    directory = (project / page).parent if page.startswith("examples/") else project
    archive = directory / "image.tar"
    if not archive.exists():
        skopeo.image_archive(archive)
    (tmp_path / "registry.yml").write_text("version: 0.1\nstorage: inmemory\n")
    output = type_in(page, directory, free_port, home=tmp_path)
    assert "does not provide the extra" not in output


def test_getting_started(tmp_path: Path, free_port: int) -> None:
    skopeo.image_archive(tmp_path / "image.tar")
    output = type_in("docs/getting-started.md", tmp_path, free_port)
    assert "allowed by rule 1: allow pull to *" in output
    assert "denied: no rule allows it" in output
    assert "Login Succeeded!" in output


def test_migrating(serve: Serve, tmp_path: Path, free_port: int) -> None:
    old = serve(tmp_path / "data", kind="docker-registry", sections={"http": {"secret": "s"}})
    client = Client(old.url)
    config = client.push_blob("my/image", b"{}")
    descriptor = f'{{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"{config}"}}'
    payload = f'{{"schemaVersion":2,"config":{descriptor},"layers":[]}}'.encode()
    pushed = client.push_manifest("my/image", "v1", payload, "application/vnd.oci.image.manifest.v1+json")
    old.stop()
    config_of_the_old = old.config.read_text().replace(old.host, f"127.0.0.1:{free_port}")
    (tmp_path / "config.yml").write_text(config_of_the_old)
    assert pushed in type_in("docs/migrating.md", tmp_path, free_port)


@pytest.mark.parametrize("page", sorted(OTHERS))
def test_what_is_not_run_here_stands_on_its_page(page: str) -> None:
    assert set(OTHERS[page]) <= set(commands(page))


@pytest.mark.parametrize("place", sorted({place for each in RUN_ELSEWHERE.values() for place in each.values()}))
def test_the_test_that_runs_it_elsewhere_is_there(place: str) -> None:
    file, _, name = place.partition("::")
    tests = ast.walk(ast.parse((PROJECT / file).read_text()))
    assert name in {node.name for node in tests if isinstance(node, ast.FunctionDef)}
