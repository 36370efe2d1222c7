"""Nothing that a user can name is without a word in the documentation; what is new is found by itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from registry_wsgi import errors
from registry_wsgi.cli import main
from registry_wsgi.config.schema import KEYS, State
from registry_wsgi.inspection.inventory import SEAMS, Seam
from tests.docs.pages import PAGES as ALL_PAGES
from tests.docs.pages import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
PAGES = {path: path.read_text() for path in (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")))}
EVERYTHING = "\n".join(PAGES.values())


def commands(group: click.Group) -> dict[str, click.Command]:
    """Return what a group has, which may be imported only when it is asked for."""
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def verbs(command: click.Command, name: str) -> Iterator[str]:
    """Yield the command lines of all verbs, those of groups in full."""
    if isinstance(command, click.Group):
        for word, inner in commands(command).items():
            yield from verbs(inner, f"{name} {word}")
    else:
        yield name


def metrics() -> set[str]:
    """Return the names of metrics: what the package has in quotes that begins as they do."""
    sources = (path.read_text() for path in (PROJECT / "registry_wsgi").rglob("*.py"))
    return {name for source in sources for name in re.findall(r'"(registry_(?!wsgi)[a-z_]+)"', source)}


@pytest.mark.parametrize("seam", SEAMS, ids=lambda seam: seam.group)
def test_every_seam_stands_in_the_documentation(seam: Seam) -> None:
    assert f"`{seam.group}`" in EVERYTHING


@pytest.mark.parametrize("verb", sorted(verbs(main, "registry-wsgi")))
def test_every_verb_stands_in_the_documentation(verb: str) -> None:
    assert verb in EVERYTHING


@pytest.mark.parametrize("code", sorted({each.code for each in errors.RegistryError.__subclasses__()}))
def test_every_error_code_stands_in_the_documentation(code: str) -> None:
    assert f"`{code}`" in EVERYTHING


@pytest.mark.parametrize("key", [key.path for key in KEYS if key.state is not State.PART])
def test_every_key_stands_in_the_documentation(key: str) -> None:
    assert f"`{key}`" in EVERYTHING


def test_every_metric_stands_in_the_documentation() -> None:
    found = metrics()
    assert "registry_http_requests_total" in found
    assert {name for name in found if f"`{name}`" not in EVERYTHING} == set()


def test_every_command_that_a_sentence_names_is_one_with_these_options() -> None:
    pages = [
        (page, re.sub(r"^ *```.*?^ *```$", "", path_of(page).read_text(), flags=re.M | re.S)) for page in ALL_PAGES
    ]
    named = [(page, words) for page, text in pages for words in re.findall(r"`registry-wsgi ([a-z][^`]*)`", text)]
    assert len(named) > 20
    for page, words in named:
        command: click.Command = main
        for word in words.split():
            if isinstance(command, click.Group):
                assert word in commands(command), f"{page}: registry-wsgi {words}"
                command = commands(command)[word]
            elif word.startswith("--"):
                options = {option for parameter in command.params for option in parameter.opts}
                assert word.partition("=")[0] in options, f"{page}: registry-wsgi {words}"


def test_every_target_of_make_that_a_page_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for page in ALL_PAGES:
        named = set(re.findall(r"(?:`|^)make ([a-z0-9-]+)", path_of(page).read_text(), re.MULTILINE))
        assert named <= targets, page
