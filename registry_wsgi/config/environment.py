"""Environment variables over the file: `REGISTRY_HTTP_ADDR` is `http.addr`, its value YAML.

Rules of registry:2 since 2.2 and registry:3: any depth, in order of name, so that `REGISTRY_AUTH`
comes before `REGISTRY_AUTH_HTPASSWD_REALM`; elements of lists by number; a variable that no key
matches is a warning. Both the key and the name of registry:2's field are taken. A key with an
underscore in it cannot be named: its section can be given whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from registry_wsgi.config import document as yaml_document
from registry_wsgi.config.schema import BARE, FIELDS, TREE, Node
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from registry_wsgi.config.findings import Findings

PREFIX: Final = "REGISTRY_"
CONFIGURATION_PATH: Final = "REGISTRY_CONFIGURATION_PATH"
_INDEX_DIGITS: Final = 6


def override(document: dict[Any, Any], environ: Mapping[str, str], findings: Findings) -> None:
    """Set in `document` what the variables say.

    A problem is invalid YAML in a variable, and one that leads into a value that has no inside.
    """
    variables = {
        name: name.removeprefix(PREFIX).lower().split("_")
        for name in environ
        if name.startswith(PREFIX) and name != CONFIGURATION_PATH
    }
    for name, words in sorted(variables.items(), key=lambda item: [_sortable(word) for word in item[1]]):
        if words == ["version"] or not _matches(TREE, words):
            findings.warnings.append(f"{name} matches no configuration key and has no effect")
        else:
            with findings.noted():
                _set(document, TREE, words, yaml_document.parse(environ[name], name), name)


def _sortable(word: str) -> str:
    return word.zfill(_INDEX_DIGITS) if word.isdecimal() else word


def _matches(node: Node, words: list[str]) -> bool:
    if not words or node.is_open():
        return all(words)
    if node.items:
        return _is_index(words[0]) and _matches(node.items, words[1:])
    child = node.child(_key(node, words[0]))
    return bool(words[0]) and child is not None and _matches(child, words[1:])


def _is_index(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= _INDEX_DIGITS


def _key(node: Node, word: str) -> str:
    """Return the key that a variable's word means: its own, or that of registry:2's field."""
    for name, child in node.children.items():
        if FIELDS.get(child.path) == word:
            return name
    return word


def _set(inside: Any, node: Node | None, words: list[str], value: Any, variable: str) -> None:
    """Set `value` at the end of `words`, making what is missing on the way; below an open key `node` is None."""
    at: Any
    child = None
    if isinstance(inside, list):
        at = _index(inside, words[0], variable)
        child = node and node.items
    else:
        word = _key(node, words[0]) if node else words[0]
        at = next((key for key in inside if isinstance(key, str) and key.lower() == word), word)
        child = node and node.child(word)
        inside.setdefault(at, None)
    if len(words) == 1:
        inside[at] = value
        return
    if inside[at] is None:
        inside[at] = [] if child and child.items else {}
    elif isinstance(inside[at], str) and child and child.path in BARE:
        inside[at] = {inside[at]: {}}
    elif not isinstance(inside[at], (dict, list)):
        raise ConfigurationError(f"{variable}: {at} is a single value already and has nothing inside")
    _set(inside[at], child if child and not child.is_open() else None, words[1:], value, variable)


def _index(elements: list[Any], word: str, variable: str) -> int:
    if not _is_index(word) or int(word) > len(elements):
        raise ConfigurationError(f"{variable}: {word!r} is no element of the list, nor the next one ({len(elements)})")
    if int(word) == len(elements):
        elements.append(None)
    return int(word)
