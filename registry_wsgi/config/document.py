"""YAML texts as plain dictionaries, lists and scalars; each failure one line with the place of it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from registry_wsgi.errors import ConfigurationError, why

if TYPE_CHECKING:
    import os

_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """The safe loader, less its dates, which no key takes, and strict about a key given twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the library's own way
        first: [resolver for resolver in resolvers if resolver[0] != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, LookupError, AttributeError) as error:  # `!!int x`, `!!bool x`, `!!timestamp x`
            raise yaml.MarkedYAMLError(problem=f"no value of {node.tag}", problem_mark=node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.tag != _MERGE and isinstance(key.value, str):
                if (key.tag, key.value) in seen:
                    raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} twice", problem_mark=key.start_mark)
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


def parse(text: str, where: str) -> Any:
    """Return what the YAML text says. Raises ConfigurationError, naming `where` and the line."""
    try:
        return _plain(yaml.load(text, _Loader))  # noqa: S506 - a subclass of the safe loader
    except RecursionError as error:
        raise ConfigurationError(f"{where}: nested too deeply, or in itself") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # The text itself may hold secrets: the library's own message would quote it.
        raise ConfigurationError(
            f"{where}, line {mark.line + 1 if mark else 1}: invalid YAML: {_line(error.problem or error.context)}"
        ) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigurationError(f"{where}, line {line}: invalid YAML: {_line(error.reason)}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{where}: invalid YAML: {_line(error)}") from error


def read(path: str | os.PathLike[str]) -> Any:
    """Return what the YAML file says. Raises ConfigurationError, naming the file and the line."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot read the configuration {_line(path)}: {_line(why(error))}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{_line(path)}, line {line}: not UTF-8") from error
    return parse(text, _line(path))


def plain(value: object) -> Any:
    """Return a copy in dictionaries and lists, no two of them shared. Raises ConfigurationError for a circle."""
    try:
        return _plain(value)
    except RecursionError as error:
        raise ConfigurationError("the configuration is nested too deeply, or in itself") from error


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def _line(text: object) -> str:
    return " ".join(str(text).split())
