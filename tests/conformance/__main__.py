"""Write docs/conformance.md: ours and Debian's docker-registry, asked the same questions.

Run `python -m tests.conformance` in the root of the project.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry_wsgi import __version__
from tests import servers
from tests.components import require

DOCUMENT = Path("docs/conformance.md")
INTRODUCTION = """\
# Conformance

`tests/conformance/` has a test for each MUST and SHOULD that the OCI Distribution Specification has for a registry:
those of 1.1 and those that its main branch adds. The tests can be run against any registry:

```sh
pytest tests/conformance --registry-url http://127.0.0.1:5000 --conformance-report report.md
```

`not there` is what a registry need not have, such as deletion or referrers. Several registries in one table are
`--registry-url NAME=URL` several times. `make test` runs all tests against ours on granian and gunicorn, with
storage on disk and in memory, and there nothing is optional.

This table was made by `python -m tests.conformance` on {date}, of registry-wsgi {version} on granian and of
{theirs}, both with storage on disk and deletion on. Numbers count the ways in which a thing was asked.

"""


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        report = work / "report.md"
        running = {
            name: servers.start(kind, work / name, work)
            for name, kind in (("registry-wsgi", "granian"), ("docker-registry", "docker-registry"))
        }
        try:
            urls = [f"--registry-url={name}={server.url}" for name, server in running.items()]
            pytest.main(["tests/conformance", "-q", "--tb=line", f"--conformance-report={report}", *urls])
        finally:
            for server in running.values():
                server.stop()
        date = datetime.now(UTC).date().isoformat()
        introduction = INTRODUCTION.format(date=date, version=__version__, theirs=_docker_registry())
        DOCUMENT.write_text(introduction + report.read_text(encoding="utf-8"), encoding="utf-8")
    return 0


def _docker_registry() -> str:
    command = [require("docker-registry"), "--version"]
    words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return f"docker-registry {words[-1].lstrip('v')}"


if __name__ == "__main__":
    sys.exit(main())
