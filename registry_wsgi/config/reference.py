"""docs/configuration-reference.md, written from the table of keys: `python -m registry_wsgi.config.reference`."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from registry_wsgi.config.durations import format_duration
from registry_wsgi.config.key import Key, State
from registry_wsgi.config.kinds import DURATION
from registry_wsgi.config.schema import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HEAD: Final = """\
# Configuration reference

Every key, from the table that files are checked against (`registry_wsgi/config/keys/`), written by `make docs`.
[Configuration](configuration.md) has the rest: examples, and the parameters of drivers, access controllers and
storage middlewares.

* Beneath each key stands its environment variable, the value of which is YAML. `_0` is the first element of a list,
  `<DRIVER>` a name in capitals; [more of them](configuration.md#environment-variables).
* **in** is which registry has the key: registry:2, registry:3, both, or *ours* alone.
* A key without a value (`addr:`) is as good as absent, except where "may be empty" says otherwise.
* Booleans are real ones: `enabled: "true"` is an error. Durations are written as in Go: `300ms`, `30s`, `1h30m`; a
  bare integer counts **nanoseconds**.
"""
_UNSUPPORTED: Final = """
## Known keys without effect yet

The registry starts, and warns of each that asks for something. What is empty, `false` or zero asks for nothing.

| key | in | what it is |
|---|---|---|
"""
_REFUSED: Final = """
## Known keys that are refused

Neglecting these would let more people do more, or serve something else, than the file says. They are errors until
they are supported, unless they are empty.

| key | in | what it is |
|---|---|---|
"""
_TABLE: Final = "| key | type | default | in | meaning |\n|---|---|---|---|---|\n"
_PARENTS: Final = {"loglevel": "log"}


def page() -> str:
    """Return the whole page."""
    return "".join([_HEAD, *_sections(), *_others(_UNSUPPORTED, State.UNSUPPORTED), *_others(_REFUSED, State.REFUSED)])


def _sections() -> Iterator[str]:
    supported = [key for key in KEYS if key.state is State.SUPPORTED]
    for section, keys in groupby(supported, _section):
        yield f"\n## {section}\n\n{_TABLE}"
        yield from map(_row, keys)


def _section(key: Key) -> str:
    word = key.path.split(".")[0]
    return _PARENTS.get(word, word)


def _row(key: Key) -> str:
    return f"| {_name(key)} | {key.kind.word} | {_default(key)} | {key.releases} | {key.meaning} |\n"


def _name(key: Key) -> str:
    return f"`{key.path}`" if key.path == "version" else f"`{key.path}`<br>`{key.variable}`"


def _default(key: Key) -> str:
    """Return in words what counts where the key is absent."""
    if key.otherwise or key.required:
        return key.otherwise or "required"
    if key.kind is DURATION and isinstance(key.default, float):
        return f"`{format_duration(key.default)}`"
    if isinstance(key.default, bool):
        return f"`{str(key.default).lower()}`"
    if key.default in (None, ""):
        return "none" if key.default is None else "empty"
    return f"`{key.default}`"


def _others(head: str, state: State) -> Iterator[str]:
    yield head
    others: Iterable[Key] = (key for key in KEYS if key.state is state)
    yield from (f"| `{key.path}` | {key.releases} | {key.meaning} |\n" for key in others)


if __name__ == "__main__":
    print(page(), end="")
