"""Parameters that stand for something else: another controller, a YAML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from registry_wsgi import plugins
from registry_wsgi.auth.silly import SillyController
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from registry_wsgi.interfaces import AccessController, Document

SILLY = {"silly": {"realm": "R", "service": "S"}}


class Outer:
    def __init__(self, *, users: AccessController, rules: Document | None = None) -> None:
        self.users = users
        self.rules = rules


def built(monkeypatch: pytest.MonkeyPatch, **parameters: object) -> Outer:
    load = plugins.load
    monkeypatch.setattr(
        plugins, "load", lambda group, name, key: Outer if name == "outer" else load(group, name, key=key)
    )
    outer: Outer = plugins.build(plugins.ACCESS_CONTROLLERS, "outer", parameters, key="auth.outer")
    return outer


def test_a_section_with_a_name_becomes_the_controller_of_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(built(monkeypatch, users=SILLY).users, SillyController)


def test_a_controller_made_in_code_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    controller = SillyController(realm="R", service="S")
    assert built(monkeypatch, users=controller).users is controller


def test_controllers_nest_as_deep_as_they_like(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = built(monkeypatch, users={"outer": {"users": SILLY}}).users
    assert isinstance(inner, Outer)
    assert isinstance(inner.users, SillyController)


@pytest.mark.parametrize("section", ["silly", None, {}, {**SILLY, "htpasswd": {}}, {"silly": "R"}, ["silly"]])
def test_a_section_that_is_no_controller_is_refused(section: object, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"^auth\.outer\.users: must be one access controller"):
        built(monkeypatch, users=section)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"silyl": {}}, r"^auth\.outer\.users\.silyl: unknown name 'silyl'; did you mean silly\?"),
        ({"silly": {"realm": "R"}}, r"^auth\.outer\.users\.silly\.service: required"),
    ],
)
def test_what_is_wrong_inside_is_named_by_its_whole_key(
    section: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        built(monkeypatch, users=section)


def test_a_path_becomes_the_yaml_file_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rules.yml"
    path.write_text("rules: [1]")
    rules = built(monkeypatch, users=SILLY, rules=str(path)).rules
    assert rules is not None
    assert rules.read() == {"rules": [1]}
    stamp = rules.stamp()
    path.write_text("rules: [1, 2]")
    assert rules.stamp() != stamp
    path.unlink()
    with pytest.raises(ConfigurationError, match=r"cannot read .*rules\.yml"):
        rules.stamp()
