"""Every key of registry:2, of registry:3 and of our own, as one table and as a tree.

The table is the schema: the checks, the names of environment variables and docs/configuration-reference.md are all
read from it. Its rows stand in `keys/`, a module for each section.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from registry_wsgi.config.key import Key, State
from registry_wsgi.config.keys import content, health, http, log, notifications, redis, stack, storage
from registry_wsgi.config.kinds import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BARE", "FIELDS", "KEYS", "TREE", "Key", "Node", "State"]

KEYS: Final[tuple[Key, ...]] = (
    Key("version", "the version of the file's format; not needed in a mapping", VERSION, required=True),
    *log.KEYS,
    *storage.KEYS,
    *stack.KEYS,
    *http.KEYS,
    *notifications.KEYS,
    *redis.KEYS,
    *health.KEYS,
    *content.KEYS,
)

# The names of registry:2's fields, which its environment variables go by, where the file has another.
FIELDS: Final[Mapping[str, str]] = {
    "log.hooks[].options": "mailoptions",
    "notifications.events": "eventconfig",
    "health.file": "filecheckers",
    "health.http": "httpcheckers",
    "health.tcp": "tcpcheckers",
    "compatibility.schema1.signingkeyfile": "trustkey",
}

# `storage: inmemory` is `storage: {inmemory: {}}`.
BARE: Final = frozenset({"storage", "auth"})


@dataclass(slots=True)
class Node:
    """A place in the tree of keys: a section with `children` and `other` names, a list of `items`, or a leaf."""

    path: str = ""
    key: Key | None = None
    children: dict[str, Node] = field(default_factory=dict)
    other: Node | None = None
    items: Node | None = None

    def child(self, name: str) -> Node | None:
        return self.children.get(name) or self.other

    def is_open(self) -> bool:
        return self.key is not None and self.key.kind.open and not (self.children or self.items)


def _tree() -> Node:
    root = Node()
    for key in KEYS:
        node = root
        for word in key.path.replace("[]", ".[]").split("."):
            node = _grown(node, word)
        node.key = key
    return root


def _grown(node: Node, word: str) -> Node:
    if word == "[]":
        node.items = node.items or Node(f"{node.path}[]")
        return node.items
    path = f"{node.path}.{word}".lstrip(".")
    if word.startswith("<"):
        node.other = node.other or Node(path)
        return node.other
    return node.children.setdefault(word, Node(path))


TREE: Final = _tree()
