"""The commands of the manual, run as a reader types them: block after block, in one directory, in one shell."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.components import require
from tests.images import KB, Layout
from tests.wire import Client

if TYPE_CHECKING:
    from tests.conftest import Serve

DOCS = Path(__file__).parents[2] / "docs"
SECONDS = 200.0
UNTIL_READY = """
for _ in $(seq 600); do curl --silent http://127.0.0.1:5000/ > /dev/null && break; sleep 0.1; done
"""


def script_of(page: str) -> str:
    """Return the page as a shell script: its commands, and its YAML files, which begin with their names."""
    parts = ["set -eux -o pipefail"]
    text = (DOCS / page).read_text()
    for language, content in re.findall(r"^```(sh|yaml)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if language == "sh":
            parts.append(content + (UNTIL_READY if content.endswith(" &\n") else ""))
        elif content.startswith("# "):
            parts.append(f"cat > {content.splitlines()[0].removeprefix('# ')} <<'END'\n{content}END\n")
    return "\n".join(parts)


def type_in(page: str, directory: Path, port: int) -> str:
    """Run the commands of a page, with another port, and return what they said."""
    for program in ("skopeo", "curl"):
        require(program)
    require("htpasswd", "apache2-utils")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
    with subprocess.Popen(
        ["bash", "-c", script_of(page).replace("127.0.0.1:5000", f"127.0.0.1:{port}")],
        cwd=directory,
        # Without a configuration the registry listens on 5000: the variable is this test's, not the reader's.
        env=os.environ | {"PATH": path, "HOME": str(directory), "REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}"},
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
            # The registry of the last block is still there, and holds the other end of the pipe.
            os.killpg(shell.pid, signal.SIGTERM if ended else signal.SIGKILL)
        assert shell.stdout
        output = shell.stdout.read()
    assert status == 0, output
    return output


def image_archive(directory: Path) -> None:
    layout = Layout(directory / "layout")
    layout.add_image([KB, 100 * KB], "v1")
    copy = (require("skopeo"), "--insecure-policy", "copy", "--quiet")
    target = f"docker-archive:{directory / 'image.tar'}:my/image:v1"
    subprocess.run([*copy, f"oci:{layout.directory}:v1", target], check=True, timeout=60)
    shutil.rmtree(layout.directory)


def test_getting_started(tmp_path: Path, free_port: int) -> None:
    image_archive(tmp_path)
    output = type_in("getting-started.md", tmp_path, free_port)
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
    assert pushed in type_in("migrating.md", tmp_path, free_port)
