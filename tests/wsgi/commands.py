"""`registry-wsgi serve` as an operator runs it who has made a mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECONDS = 120.0


def refusal(directory: Path, document: object, environment: Mapping[str, str] | None = None) -> str:
    """Return the one line with which a configuration is refused, without the program's name before it.

    `document` is text, or what becomes the file as JSON.
    """
    config = directory / "config.yml"
    config.write_text(document if isinstance(document, str) else json.dumps(document))
    return refusal_of(["serve", str(config)], directory, environment)


def refusal_of(arguments: list[str], directory: Path, environment: Mapping[str, str] | None = None) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    run = subprocess.run(
        [sys.executable, "-m", "registry_wsgi", *arguments],
        cwd=directory,
        env=inherited | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (run.returncode, run.stdout) == (2, ""), run.stderr
    assert run.stderr.endswith("\n")
    line = run.stderr.removesuffix("\n")
    assert line.startswith("registry-wsgi: "), run.stderr
    assert line.isprintable(), run.stderr  # so it is one line
    return line.removeprefix("registry-wsgi: ")
