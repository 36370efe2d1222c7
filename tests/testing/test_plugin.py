"""The pytest plugin in pytest's own hands: the examples of docs/testing.md, real clients, a failure's report."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import yaml

from registry_wsgi import config as configuration
from registry_wsgi.app import build
from tests.docs.pages import blocks
from tests.packaging import PROJECT, outside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PAGE = PROJECT / "docs" / "testing.md"
SECONDS = 200.0


def run_pytest(directory: Path, *arguments: str) -> tuple[int, str]:
    """Run the tests in the directory as their author would; return the exit status and what was printed."""
    command: Sequence[str] = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments)
    run = subprocess.run(
        command,
        cwd=directory,
        env=outside(PYTHONDONTWRITEBYTECODE="1"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


def test_real_clients_pass_their_tests() -> None:
    status, said = run_pytest(PROJECT / "examples" / "client_tests")
    assert status == 0, said
    assert int(re.findall(r"(\d+) passed", said)[0]) >= 15


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    conftest, *examples = (block.content for block in blocks("docs/testing.md", "python"))
    assert len(examples) >= 5
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
    for number, example in enumerate(examples):
        (tmp_path / f"test_{number}.py").write_text(example)
    status, said = run_pytest(tmp_path)
    assert status == 0, said
    assert f"{len(examples)} passed" in said


def test_the_page_names_every_layer_and_its_configuration_is_one() -> None:
    text = PAGE.read_text()
    names = {entry.name for entry in metadata.entry_points(group="registry_wsgi.middleware")}
    ours = {name for name in names if name.startswith(("fault-", "quirk-"))}
    assert len(ours) >= 11
    assert {name for name in ours if f"`{name}`" not in text} == set()
    (section,) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    build(configuration.load({"storage": "inmemory", **yaml.safe_load(section)}))


SHARED = """
import urllib.request
pytest_plugins = ["registry_wsgi.testing.pytest_plugin"]
"""
TESTS = """
import urllib.request

def test_first(registry_session, registry):
    registry_session.push_image("a:v1")
    assert registry.repositories() == []

def test_second(registry_session, registry_session_factory, registry_factory):
    assert registry_session.tags("a") == ["v1"]
    registry_session.reset()
    assert registry_session.repositories() == []
    assert len({each.url for each in (registry_session, registry_session_factory(), registry_factory())}) == 3

def test_failure(registry):
    urllib.request.urlopen(f"{registry.url}/v2/").close()
    raise AssertionError("as it was meant")
"""


def test_a_session_shares_one_and_a_failure_shows_what_was_asked(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(SHARED)
    (tmp_path / "test_shared.py").write_text(TESTS)
    status, said = run_pytest(tmp_path, "-W", "error")
    assert status == 1
    assert "1 failed, 2 passed" in said
    assert re.search(r"^-+ requests to http://127\.0\.0\.1:\d+ -+\n200 GET /v2/\n", said, re.MULTILINE)


def test_the_plugin_is_loaded_only_where_it_is_asked_for() -> None:
    assert "registry-wsgi" not in {entry.dist.name for entry in metadata.entry_points(group="pytest11") if entry.dist}
