from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.config import Cache, Configuration, load
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

MINIMAL = "version: 0.1\nstorage: inmemory\n"


def test_without_any_configuration_it_is_a_registry_for_oneself() -> None:
    config = load(None, {})
    assert (config.storage.driver, config.storage.parameters) == ("filesystem", {"rootdirectory": "./data"})
    assert config.storage.cache == Cache("inmemory", {"size": 10000})
    assert (config.http.addr, config.http.interface, config.http.port) == ("127.0.0.1:5000", "127.0.0.1", 5000)
    assert not config.warnings


def test_a_file_is_taken_by_its_path_in_text_or_as_a_path(tmp_path: Path) -> None:
    file = tmp_path / "registry.yml"
    file.write_text(MINIMAL)
    assert load(file, {}) == load(str(file), {})
    assert load(file, {}).storage.driver == "inmemory"


def test_the_variable_names_the_file_where_no_source_is_given(tmp_path: Path) -> None:
    file = tmp_path / "registry.yml"
    file.write_text(MINIMAL)
    assert load(None, {"REGISTRY_CONFIGURATION_PATH": str(file)}).storage.driver == "inmemory"
    assert load(None, {"REGISTRY_CONFIGURATION_PATH": ""}).storage.driver == "filesystem"


def test_the_environment_of_the_process_overrides_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "registry.yml"
    file.write_text(MINIMAL)
    monkeypatch.setenv("REGISTRY_HTTP_ADDR", ":8080")
    assert load(file).http.addr == ":8080"
    monkeypatch.setenv("REGISTRY_CONFIGURATION_PATH", str(file))
    assert (load().http.addr, load().storage.driver) == (":8080", "inmemory")


def test_a_mapping_is_overridden_only_by_variables_that_are_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_HTTP_ADDR", ":8080")
    assert load({"storage": "inmemory"}).http.addr == "127.0.0.1:5000"
    assert load({"storage": "inmemory"}, {"REGISTRY_HTTP_ADDR": ":7000"}).http.addr == ":7000"


def test_a_mapping_needs_no_version_and_is_left_as_it_was() -> None:
    source = {"storage": {"filesystem": {"rootdirectory": "/a"}}}
    config = load(source, {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/b"})
    assert config.version == "0.1"
    assert config.storage.parameters == {"rootdirectory": "/b"}
    assert source == {"storage": {"filesystem": {"rootdirectory": "/a"}}}


def test_a_configuration_is_plain_data_that_other_processes_can_be_handed() -> None:
    config = load({"storage": "inmemory", "http": {"headers": {"X-A": ["b"]}}})
    assert pickle.loads(pickle.dumps(config)) == config
    assert isinstance(config, Configuration)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2", "line 2: invalid YAML"),
        ("version: 0.1\n\tstorage: x", "line 2: invalid YAML"),
        ("version: 0.1\nstorage: inmemory\nstorage: filesystem\n", "line 3: invalid YAML: the key 'storage' twice"),
        ("log: {level: info,\n level: info}", "line 2: invalid YAML: the key 'level' twice"),
        ("version: 0.1\n---\nversion: 0.1\n", "invalid YAML"),
        ("version: 0.1\nstorage: *nowhere\n", "line 2: invalid YAML"),
        ("version: 0.1\nstorage: !!int x\n", "line 2: invalid YAML: no value of"),
        ("version: 0.1\nstorage: !!python/name:os.system x\n", "line 2: invalid YAML"),
        ("version: 0.1\nlog: {? [a] : b}\n", "line 2: invalid YAML"),
        ("version: 0.1\nlog: \x01\n", "line 2: invalid YAML"),
        ("version: 0.1\nlog: &a {fields: *a}\n", "nested too deeply, or in itself"),
        ("[" * 1200, "nested too deeply, or in itself"),
        ("- version\n", "the configuration: must be a mapping, not a list"),
        ("just text", "the configuration: must be a mapping, not just text (text)"),
        ("", "version: required, but not given; allowed: 0.1"),
        ("storage: inmemory", "version: required, but not given; allowed: 0.1"),
        ("version: 0.2\nstorage: inmemory", "version: must be 0.1, not 0.2 (a number)"),
        ("version: [1]\nstorage: inmemory", "version: must be 0.1, not a list"),
    ],
)
def test_a_file_that_is_no_configuration_is_one_line_of_error(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "registry.yml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        load(file, {})
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    if "line" in message or "nested" in message:
        assert str(file) in str(raised.value)


def test_a_version_may_be_quoted() -> None:
    assert load({"version": "0.1", "storage": "inmemory"}) == load({"version": 0.1, "storage": "inmemory"})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yml", tmp_path):
        with pytest.raises(ConfigurationError, match=f"cannot read the configuration {path}: "):
            load(path, {})
    with pytest.raises(ConfigurationError, match="null byte"):
        load("a\0b", {})


def test_a_file_in_another_encoding_is_named_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "registry.yml"
    file.write_bytes(b"version: 0.1\nlog: \xff\n")
    with pytest.raises(ConfigurationError, match=r"registry\.yml, line 2: not UTF-8"):
        load(file, {})


def test_a_text_without_quotes_that_looks_like_a_date_is_text(tmp_path: Path) -> None:
    file = tmp_path / "registry.yml"
    file.write_text("version: 0.1\nstorage: inmemory\nlog: {fields: {since: 2015-05-12}}\n")
    assert load(file, {}).log.fields == {"since": "2015-05-12"}


def test_merge_keys_may_give_a_key_that_is_given_again(tmp_path: Path) -> None:
    file = tmp_path / "registry.yml"
    file.write_text(
        "version: 0.1\nstorage: inmemory\nlog:\n  fields: &f {a: b, c: d}\n"
        "middleware: {http: [{name: x, options: {<<: *f, a: e}}]}\n"
    )
    assert load(file, {}).middleware[0].options == {"a": "e", "c": "d"}


def test_an_error_does_not_show_what_is_inside_a_section() -> None:
    with pytest.raises(ConfigurationError) as raised:
        load({"storage": [{"s3": {"secretkey": "hush"}}]})
    assert str(raised.value) == "storage: must be a mapping, not a list"
