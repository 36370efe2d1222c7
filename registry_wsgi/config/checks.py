"""A document against the table of keys: every value checked, every default filled in."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from registry_wsgi.config.schema import BARE, TREE, Key, Node, State
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from registry_wsgi.config.findings import Findings

_TYPES = {bool: "a boolean", int: "an integer", float: "a number", str: "text", list: "a list", dict: "a mapping"}


def check(document: object, findings: Findings) -> dict[str, Any]:
    """Return the document with every supported key in it; of the others there are warnings.

    A problem is an unknown key, a missing required one, a value of the wrong type, and a key that must not be
    neglected; a key with a problem has its default. Raises ConfigurationError where nothing can be read at all.
    """
    try:
        return _section(TREE, document, "", findings)
    except RecursionError as error:
        raise ConfigurationError("the configuration is nested too deeply, or in itself") from error


def _value(node: Node, value: object, path: str, findings: Findings) -> Any:
    if node.key:
        _judge(node.key, value, path, findings)
    if node.items:
        return _elements(node.items, value, path, findings)
    if node.children or node.other:
        return _section(node, value, path, findings)
    return _leaf(node.key, value, path) if node.key and node.key.state is State.SUPPORTED else None


def _judge(key: Key, value: object, path: str, findings: Findings) -> None:
    if key.state is State.UNSUPPORTED and not key.idle(value):
        findings.warnings.append(f"{path} is not supported yet and has no effect")
    if key.state is State.REFUSED and not key.idle(value):
        raise ConfigurationError(f"{path}: {key.meaning} is not available yet; remove the key to start without it")


def _leaf(key: Key, value: object, path: str) -> Any:
    if any(value is unset or (unset == "" and value == "") for unset in key.kind.unset):
        return copy.copy(key.default)
    try:
        return key.kind.parse(value)
    except ValueError as error:
        if isinstance(value, Mapping) and key.kind.open:  # the fault is inside
            raise ConfigurationError(f"{path}: {error}; must be {key.kind.allowed}") from error
        raise _wrong(path, key.kind.allowed, value, secret=key.kind.secret) from error


def _elements(item: Node, value: object, path: str, findings: Findings) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(path, "a list", value)
    checked: list[Any] = []
    for number, element in enumerate(value):
        one = [] if item.key else [_absent(item)]  # a section that is wrong leaves the others their numbers
        with findings.noted():
            one = [_value(item, element, f"{path}[{number}]", findings)]
        checked += one
    return checked


def _section(node: Node, value: object, path: str, findings: Findings) -> dict[str, Any]:
    if path in BARE and isinstance(value, str):
        value = {value: None} if value else None
    if value is None and node.path.endswith("[]"):
        value = {}  # an element is there even if it is empty, and may lack what it requires
    checked = {name: _absent(child) for name, child in node.children.items()}
    if value is None:
        return checked
    if not isinstance(value, Mapping):
        raise _wrong(path or "the configuration", "a mapping", value)
    for name, inner in value.items():
        child = node.child(name) if isinstance(name, str) else None
        with findings.noted():
            if child is None:
                raise _unknown(f"{path}.{_shown(name)}".lstrip("."), name, node.children)
            checked[name] = _value(child, inner, f"{path}.{_shown(name)}".lstrip("."), findings)
    for name, child in node.children.items():
        if child.key and child.key.required and value.get(name) in (None, ""):
            missing = f"{path}.{name}: required, but not given; allowed: {child.key.kind.allowed}".lstrip(".")
            findings.add(ConfigurationError(missing))
    return checked


def _absent(node: Node) -> Any:
    if node.items:
        return []
    if node.children or node.other:
        return {name: _absent(child) for name, child in node.children.items()}
    return copy.copy(node.key.default) if node.key else None


def _wrong(path: str, allowed: str, value: object, *, secret: bool = False) -> ConfigurationError:
    kind = _TYPES.get(type(value), type(value).__name__)
    # Mappings and lists may hold secrets of their neighbours: only a scalar is shown.
    hidden = secret or value is None or isinstance(value, (dict, list))
    found = kind if hidden else f"{_shown(value)} ({kind})"
    return ConfigurationError(f"{path}: must be {allowed}, not {found}")


def _unknown(path: str, name: object, known: Iterable[str]) -> ConfigurationError:
    allowed = sorted(known)
    near = difflib.get_close_matches(str(name).lower(), allowed, n=1)
    hint = f" did you mean {near[0]}?" if near else ""
    return ConfigurationError(f"{path}: unknown key;{hint} allowed: {', '.join(allowed)}")


def _shown(value: object) -> str:
    text = str(value)
    short = text if len(text) <= 60 else f"{text[:57]}..."
    return short if short.isprintable() else ascii(short)
