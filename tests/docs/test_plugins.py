"""docs/plugins.md: all seams are on it, and each example passes its suite."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from registry_wsgi import interfaces, plugins
from registry_wsgi.inspection.inventory import SEAMS
from tests.packaging import PROJECT, outside

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (PROJECT / "docs" / "plugins.md").read_text()
SECONDS = 250.0


def test_every_group_of_plugins_is_a_seam() -> None:
    constants = {str(value) for name, value in vars(plugins).items() if name.isupper()}
    groups = {value for value in constants if value.startswith("registry_wsgi.")}
    assert {seam.group for seam in SEAMS} == groups


def test_every_seam_stands_on_the_page_with_its_protocol_its_group_and_its_suite() -> None:
    for seam in SEAMS:
        anchor = seam.title.replace(" ", "-")
        columns = rf"`[^`]+` \| `{seam.group}` \| `{seam.protocol}` \| `{seam.suite}`"
        row = rf"^\| \[{seam.title}\]\(#{anchor}\) \| {columns} \|$"
        assert re.search(row, PAGE, re.MULTILINE), seam
        assert f"\n## {seam.title.capitalize()}\n" in PAGE
        module, _, suite = seam.suite.partition(".")
        assert hasattr(import_module(f"registry_wsgi.testing.{module}"), suite)
        assert hasattr(interfaces, seam.protocol)


def test_each_example_passes_its_suite(tmp_path: Path) -> None:
    sections = re.findall(r"^## [^\n]+\n.*?^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(sections) == len(SEAMS)
    for number, example in enumerate(sections):
        (tmp_path / f"test_{number}.py").write_text(example)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = soak\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not soak", "-k", "not invalid"]
    run = subprocess.run(
        command, cwd=tmp_path, env=outside(), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
