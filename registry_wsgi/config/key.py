"""One key of the configuration: what it may be, what it means, and how far it is supported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any, Final

from registry_wsgi.config.kinds import ANYTHING, Kind

REGISTRY_2: Final = "2"
REGISTRY_3: Final = "3"
BOTH: Final = "2, 3"
OURS: Final = "ours"
"""Which registry has a key: registry:2, registry:3, both of them, or ours alone."""


class State(Enum):
    SUPPORTED = auto()
    UNSUPPORTED = auto()  # a warning: it has no effect
    REFUSED = auto()  # an error: without it more would be open, or something else served, than the operator believes
    PART = auto()  # a key inside an unsupported or refused section, which speaks for it


def nothing(value: object) -> bool:
    """Tell whether a value is empty, false or zero all the way down: it asks for nothing."""
    if isinstance(value, Mapping):
        return all(nothing(inner) for inner in value.values())
    if isinstance(value, list):
        return all(nothing(inner) for inner in value)
    return not value


def settled(key: str, value: object) -> Callable[[Any], bool]:
    """Return a test for a section that is empty or whose `key` has the one value that asks for what is done anyway."""
    return lambda section: not section or (isinstance(section, Mapping) and section.get(key) == value)


@dataclass(frozen=True, slots=True)
class Key:
    """One row. In `path` `[]` is each element of a list, and a word in angle brackets any name.

    `meaning` and `otherwise`, which is what counts where the key is absent if `default` does not tell, are the words
    of docs/configuration-reference.md, links as from there. `required` is meant within its section; `idle` tells which
    values ask for nothing that is lacking.
    """

    path: str
    meaning: str = ""
    kind: Kind = ANYTHING
    default: object = None
    state: State = State.SUPPORTED
    required: bool = False
    otherwise: str = ""
    releases: str = BOTH
    idle: Callable[[Any], bool] = nothing

    @property
    def variable(self) -> str:
        """The environment variable that sets it, or its first element."""
        return f"REGISTRY_{self.path}".upper().replace(".", "_").replace("[]", "_0")


ours = partial(Key, releases=OURS)
only_2 = partial(Key, releases=REGISTRY_2)
since_3 = partial(Key, releases=REGISTRY_3)


def unsupported(
    path: str, keys: str = "", idle: Callable[[Any], bool] = nothing, *, meaning: str, releases: str = BOTH
) -> tuple[Key, ...]:
    """Return the row of a key that has no effect, which `meaning` says, and those of the keys inside."""
    return (Key(path, meaning, state=State.UNSUPPORTED, idle=idle, releases=releases), *_parts(path, keys))


def refused(path: str, meaning: str, keys: str = "", *, releases: str = BOTH) -> tuple[Key, ...]:
    """Return the row of a key that must not be neglected, `meaning` being what it asks for, and those inside."""
    return (Key(path, meaning, state=State.REFUSED, releases=releases), *_parts(path, keys))


def _parts(path: str, keys: str) -> tuple[Key, ...]:
    return tuple(Key(f"{path}.{key}", state=State.PART) for key in keys.split())
