"""docs/configuration-reference.md is written from the table of keys; docs/configuration.md says what is so."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from registry_wsgi import plugins
from registry_wsgi.config import examine, load, reference
from registry_wsgi.config.durations import format_duration, parse_duration
from registry_wsgi.config.schema import FIELDS, KEYS, Key, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.config import Configuration

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = (DOCS / "configuration-reference.md").read_text()
MANUAL = (DOCS / "configuration.md").read_text()
PARAMETERS = re.findall(r"^\| `(\w+)`: (`\w+`(?:, `\w+`)*) \| [^|]+ \| ([^|]+) \| .+ \|$", MANUAL, re.MULTILINE)


def test_the_reference_is_what_the_table_of_keys_says() -> None:
    assert reference.page() == REFERENCE, "the table of keys has changed: run `make docs`"


@pytest.mark.parametrize("key", [key for key in KEYS if key.state is not State.PART], ids=lambda key: key.path)
def test_every_key_has_a_line_in_the_reference_that_says_what_it_means(key: Key) -> None:
    assert key.meaning
    assert REFERENCE.count(f"\n| `{key.path}`") == 1


def test_every_variable_of_the_reference_is_one() -> None:
    named = [key.variable for key in KEYS if key.state is State.SUPPORTED and key.path != "version"]
    variables = {name.replace("<DRIVER>", "INMEMORY").replace("<CONTROLLER>", "SILLY"): "" for name in named}
    assert all(f"`{name}`" in REFERENCE for name in named)
    _, findings = examine({"storage": "inmemory"}, variables)
    assert not [warning for warning in findings.warnings if "matches no configuration key" in warning]


def test_every_section_of_the_reference_has_one_heading() -> None:
    headings = re.findall(r"^## .+$", REFERENCE, re.MULTILINE)
    assert len(headings) == len(set(headings)) > 10


@pytest.mark.parametrize(
    ("path", "effective"),
    [
        ("log.level", lambda config: config.log.level),
        ("storage.cache.blobdescriptorsize", lambda config: config.storage.cache.parameters["size"]),
        ("storage.maintenance.readonly.enabled", lambda config: config.storage.readonly_enabled),
        ("notifications.endpoints[].threshold", lambda config: config.notifications.endpoints[0].threshold),
        ("notifications.endpoints[].backoff", lambda config: config.notifications.endpoints[0].backoff),
    ],
)
def test_what_the_reference_says_of_an_absent_key_is_so(
    path: str, effective: Callable[[Configuration], object]
) -> None:
    storage = {"inmemory": None, "cache": {"blobdescriptor": "inmemory"}}
    config = load({"storage": storage, "notifications": {"endpoints": [{"url": "http://127.0.0.1/events"}]}})
    (said,) = (key.otherwise.strip("`") for key in KEYS if key.path == path)
    found = effective(config)
    assert said == (format_duration(found) if isinstance(found, float) else str(found).lower())


@pytest.mark.parametrize("text", ["168h", "1h", "90m", "1m", "10s", "61s", "0"])
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    assert format_duration(parse_duration(text)) == text


@pytest.mark.parametrize("group", [plugins.ACCESS_CONTROLLERS, plugins.STORAGE_MIDDLEWARE])
def test_the_manual_has_each_parameter_of_the_plugins_that_are_built_in(group: str) -> None:
    said = {
        (plugin, name.strip("`"), default.partition(",")[0].strip().strip("`"))
        for plugin, names, default in PARAMETERS
        for name in names.split(", ")
    }
    rows = {(plugin, name) for plugin, name, _ in said}
    built_in = [name for name in plugins.names(group) if plugins.distribution(group, name).startswith("registry-wsgi ")]
    for plugin in built_in:
        factory = plugins.load(group, plugin, key=plugin)
        for parameter in inspect.signature(factory).parameters.values():
            if parameter.kind is not parameter.KEYWORD_ONLY:
                continue
            assert (plugin, parameter.name) in rows
            if parameter.default is parameter.empty:
                assert (plugin, parameter.name, "required") in said
            elif parameter.default not in (None, "", False):
                assert (plugin, parameter.name, str(parameter.default)) in said


def test_the_manual_names_the_fields_that_have_another_name_in_variables() -> None:
    section = MANUAL.partition("## Environment variables")[2]
    assert not [field for field in FIELDS.values() if field.upper() not in section]


def test_the_example_of_the_manual_is_one() -> None:
    example = re.search(r"```yaml\n(.*?)```", MANUAL, re.DOTALL)
    assert example
    assert load(yaml.safe_load(example[1])).warnings == ()
