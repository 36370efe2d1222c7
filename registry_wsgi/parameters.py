"""The keys of a plugin's section against the keyword parameters of its factory."""

from __future__ import annotations

import difflib
import inspect
import os
import types
import typing
from typing import TYPE_CHECKING, Any, Final

from registry_wsgi.errors import ConfigurationError, DriverError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Factory = Callable[..., Any]

# Annotations that can be checked here, in words. Parameters of other types are the factory's to check.
_WORDS: Final[dict[Any, str]] = {
    str: "text",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    os.PathLike: "a path",
    type(None): "nothing",
}
_NAMES: Final[dict[str, Any]] = {"str": str, "bool": bool, "int": int, "float": float, "None": type(None)}


def mistakes(
    factory: Factory, parameters: Mapping[str, object], *, key: str, arguments: int = 0
) -> Iterator[ConfigurationError]:
    """Yield what is wrong with the section at `key`: each unknown or missing key, and each value of a wrong type.

    The first `arguments` parameters of the factory are passed in code and are no keys.
    """
    try:
        accepted = list(_signature(factory).parameters.values())[arguments:]
    except (TypeError, ValueError) as error:
        yield ConfigurationError(f"{key}: the keys it takes cannot be told: {reason(error)}")
        return
    known = {
        parameter.name: parameter
        for parameter in accepted
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted)
    for given, value in parameters.items():
        if given in known:
            yield from _of_type(f"{key}.{given}", value, known[given].annotation)
        elif not takes_any:
            yield ConfigurationError(f"{key}.{given}: unknown key{hint(given, known)}")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in parameters:
            yield ConfigurationError(f"{key}.{name}: required, but not given{hint('', known)}")


def types_of(factory: Factory, parameter: str) -> set[str]:
    """Return the names of the types that a parameter may have, none where they cannot be told."""
    try:
        wanted = _signature(factory).parameters.get(parameter)
    except (TypeError, ValueError):
        return set()
    return {getattr(kind, "__name__", str(kind)) for kind in _kinds(wanted.annotation)} if wanted else set()


def _signature(factory: Factory) -> inspect.Signature:
    try:
        return inspect.signature(factory, eval_str=True)
    except NameError:  # an annotation imported under TYPE_CHECKING: now all of them are text
        return inspect.signature(factory)


def _kinds(annotation: object) -> list[Any]:
    """Return the types that an annotation allows; one in text allows those that it names."""
    if isinstance(annotation, str):
        return [_NAMES.get(name, name) for name in annotation.replace(" ", "").split("|")]
    union = isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union
    return [typing.get_origin(kind) or kind for kind in (typing.get_args(annotation) if union else [annotation])]


def hint(word: str, known: Iterable[str]) -> str:
    """Return the end of a message: what may have been meant, and all that is allowed."""
    allowed = sorted(known)
    near = difflib.get_close_matches(word, allowed, n=1)
    return f"{f'; did you mean {near[0]}?' if near else ';'} allowed: {', '.join(allowed) or 'none'}"


def reason(error: Exception) -> str:
    """Return the error's text on one line, with its class where the text alone says little."""
    text = " ".join(str(error).split())
    return (
        text
        if isinstance(error, (ConfigurationError, ValueError, DriverError)) and text
        else f"{type(error).__name__}: {text}"
    )


def _of_type(key: str, value: object, annotation: object) -> Iterator[ConfigurationError]:
    allowed = _kinds(annotation)
    if not all(kind in _WORDS for kind in allowed) or any(_fits(value, kind) for kind in allowed):
        return
    found = f"{value!r:.60}" if isinstance(value, (str, bool, int, float)) else f"a {type(value).__name__}"
    yield ConfigurationError(f"{key}: must be {' or '.join(_WORDS[kind] for kind in allowed)}, not {found}")


def _fits(value: object, kind: Any) -> bool:
    if isinstance(value, bool):  # an int to Python only
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)
