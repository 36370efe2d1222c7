"""docs/configuration.md is the reference: what it says and what the table of keys says is the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from registry_wsgi.config import load
from registry_wsgi.config.durations import parse_duration
from registry_wsgi.config.kinds import DURATION
from registry_wsgi.config.schema import FIELDS, KEYS, Key, State

MANUAL = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
ROWS = {match[1]: match[0] for match in re.finditer(r"^\| `([^`]+)` .*$", MANUAL, re.MULTILINE)}
SECTIONS = {text.split("\n", 1)[0]: text for text in MANUAL.split("\n## ")}


@pytest.mark.parametrize("key", [key for key in KEYS if key.state is State.SUPPORTED], ids=lambda key: key.path)
def test_every_supported_key_stands_in_the_manual_with_its_default(key: Key) -> None:
    _, _, _, default, meaning, _ = re.split(r"\s*\|\s*", ROWS[key.path])[:6]
    assert meaning
    if key.kind is DURATION and key.default:
        assert parse_duration(default.strip("`")) == key.default
    elif key.default not in (None, "", 0.0):
        assert default == f"`{key.default}`".replace("True", "true").replace("False", "false")


@pytest.mark.parametrize(
    ("state", "section"),
    [(State.UNSUPPORTED, "Known keys without effect yet"), (State.REFUSED, "Known keys that are refused")],
)
def test_every_other_key_stands_in_the_manual(state: State, section: str) -> None:
    missing = [key.path for key in KEYS if key.state is state and f"`{key.path}`" not in SECTIONS[section]]
    assert not missing


def test_the_manual_names_no_key_that_is_unknown() -> None:
    known = {key.path for key in KEYS}
    of_the_driver = {"storage.filesystem.rootdirectory", "storage.filesystem.maxthreads"}
    assert {path for path in ROWS if "." in path} <= known | of_the_driver | {"0.1"}


def test_the_manual_names_the_fields_that_have_another_name_in_variables() -> None:
    missing = [field for field in FIELDS.values() if field.upper() not in SECTIONS["Environment variables"]]
    assert not missing


def test_the_example_of_the_manual_is_one() -> None:
    example = re.search(r"```yaml\n(.*?)```", MANUAL, re.DOTALL)
    assert example
    assert load(yaml.safe_load(example[1])).warnings == ()
