"""Plugins by entry-point group and name: found, imported when named, built from a section's keys.

Built-in ones are declared in setup.cfg exactly like a stranger's. A plugin is a factory whose
keyword parameters are the keys of its section; a layer's first parameter, the application
inside it, is no key. Every failure is a ConfigurationError of one line that names the key.
A parameter annotated AccessController is one by name (`users: {htpasswd: {…}}`), a Document the path of a YAML file.
"""

from __future__ import annotations

import difflib
import inspect
import os
import re
import types
import typing
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from registry_wsgi.config.files import DocumentFile
from registry_wsgi.errors import ConfigurationError, DriverError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Factory = Callable[..., Any]

STORAGE_DRIVERS: Final = "registry_wsgi.storage_drivers"
STORAGE_MIDDLEWARE: Final = "registry_wsgi.storage_middleware"
CACHE_PROVIDERS: Final = "registry_wsgi.cache_providers"
ACCESS_CONTROLLERS: Final = "registry_wsgi.access_controllers"
MIDDLEWARE: Final = "registry_wsgi.middleware"
EVENT_SINKS: Final = "registry_wsgi.event_sinks"
EVENT_OUTBOXES: Final = "registry_wsgi.event_outboxes"

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


def names(group: str) -> list[str]:
    """Return the names that the installed distributions declare in the group, in order; nothing is imported."""
    return sorted({entry.name for entry in metadata.entry_points(group=group)})


def distribution(group: str, name: str) -> str:
    """Return the name and the version of the distribution that declares the plugin, empty where none does."""
    return next((origin(entry) for entry in metadata.entry_points(group=group, name=name)), "")


def load(group: str, name: str, *, key: str) -> Factory:
    """Import the plugin and return its factory; `key` is the configuration key that named it.

    Raises ConfigurationError for an unknown name, for one that two distributions declare,
    since neither may take the other's place unasked, and where the import fails.
    """
    found = list(metadata.entry_points(group=group, name=name))
    if not found:
        raise ConfigurationError(f"{key}: unknown name {name!r}{_hint(name, names(group))}")
    if len(found) > 1:
        owners = ", ".join(sorted(origin(entry) for entry in found))
        raise ConfigurationError(f"{key}: {name!r} is declared by more than one installed distribution: {owners}")
    try:
        factory = found[0].load()
    except Exception as error:
        raise ConfigurationError(
            f"{key}: {name!r} of {origin(found[0])} cannot be imported: {_reason(error)}{_extras(found[0], error)}"
        ) from error
    if not callable(factory):
        raise ConfigurationError(f"{key}: {name!r} of {origin(found[0])} is no factory: it cannot be called")
    return typing.cast("Factory", factory)


def build(
    group: str,
    name: str,
    parameters: Mapping[str, object],
    *,
    key: str,
    section: str = "",
    arguments: Sequence[object] = (),
) -> Any:
    """Return what the plugin's factory makes of `arguments`, in order, and `parameters`, by keyword.

    `key` named the plugin; `section` is where the parameters stand, by default below that key.

    Raises ConfigurationError as `load` and `check` do, and where the factory refuses a value
    (ConfigurationError, ValueError) or cannot start with it (OSError, DriverError).
    """
    factory = load(group, name, key=key)
    section = section or key
    check(factory, parameters, key=section, arguments=len(arguments))
    made = _made(factory, parameters, key=section)
    try:
        return factory(*arguments, **made)
    except (ConfigurationError, ValueError, OSError, DriverError) as error:
        raise ConfigurationError(f"{section}: {_reason(error)}") from error


def check(factory: Factory, parameters: Mapping[str, object], *, key: str, arguments: int = 0) -> None:
    """Compare the keys of a section with the keyword parameters of its factory.

    The first `arguments` parameters are passed in code and are no keys. Raises ConfigurationError
    for an unknown or missing key and for a value of another type than the parameter's annotation.
    """
    try:
        accepted = list(_signature(factory).parameters.values())[arguments:]
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{key}: the keys it takes cannot be told: {_reason(error)}") from error
    known = {
        parameter.name: parameter
        for parameter in accepted
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted)
    for given, value in parameters.items():
        if given in known:
            _check_type(f"{key}.{given}", value, known[given].annotation)
        elif not takes_any:
            raise ConfigurationError(f"{key}.{given}: unknown key{_hint(given, known)}")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in parameters:
            raise ConfigurationError(f"{key}.{name}: required, but not given{_hint('', known)}")


def _made(factory: Factory, parameters: Mapping[str, object], *, key: str) -> dict[str, object]:
    """Return the parameters with those made that stand for something else. Raises ConfigurationError."""
    wanted = _signature(factory).parameters
    made = dict(parameters)
    for name, value in parameters.items():
        kinds = _kinds(wanted[name].annotation) if name in wanted else []
        words = {getattr(kind, "__name__", kind) for kind in kinds}
        if "AccessController" in words:
            made[name] = _controller(value, key=f"{key}.{name}")
        elif "Document" in words and isinstance(value, str):
            made[name] = DocumentFile(value)
    return made


def _controller(value: object, *, key: str) -> object:
    """Return the access controller that a section names; one that was made in code is one already."""
    if not isinstance(value, (dict, list, str, int, float, type(None))):
        return value
    if not isinstance(value, dict) or len(value) != 1 or not isinstance(next(iter(value.values())), (dict, type(None))):
        allowed = ", ".join(names(ACCESS_CONTROLLERS))
        raise ConfigurationError(f"{key}: must be one access controller with its parameters; allowed: {allowed}")
    ((name, parameters),) = value.items()
    return build(ACCESS_CONTROLLERS, str(name), parameters or {}, key=f"{key}.{name}")


def _signature(factory: Factory) -> inspect.Signature:
    try:
        return inspect.signature(factory, eval_str=True)
    except NameError:  # an annotation imported under TYPE_CHECKING: now all of them are text
        return inspect.signature(factory)


def _check_type(key: str, value: object, annotation: object) -> None:
    allowed = _kinds(annotation)
    if not all(kind in _WORDS for kind in allowed) or any(_fits(value, kind) for kind in allowed):
        return
    found = f"{value!r:.60}" if isinstance(value, (str, bool, int, float)) else f"a {type(value).__name__}"
    raise ConfigurationError(f"{key}: must be {' or '.join(_WORDS[kind] for kind in allowed)}, not {found}")


def _kinds(annotation: object) -> list[Any]:
    """Return the types that an annotation allows; one in text allows those that it names."""
    if isinstance(annotation, str):
        return [_NAMES.get(name, name) for name in annotation.replace(" ", "").split("|")]
    union = isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union
    return [typing.get_origin(kind) or kind for kind in (typing.get_args(annotation) if union else [annotation])]


def _fits(value: object, kind: Any) -> bool:
    if isinstance(value, bool):  # an int to Python only
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _hint(word: str, known: Iterable[str]) -> str:
    allowed = sorted(known)
    near = difflib.get_close_matches(word, allowed, n=1)
    return f"{f'; did you mean {near[0]}?' if near else ';'} allowed: {', '.join(allowed) or 'none'}"


def origin(entry: metadata.EntryPoint) -> str:
    """Return the name and the version of the distribution that declares the plugin."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def _extras(entry: metadata.EntryPoint, error: Exception) -> str:
    """Return, where a module is missing, which extras of the plugin's distribution bring it."""
    missing = re.escape(error.name or "") if isinstance(error, ModuleNotFoundError) else ""
    wanted = re.compile(rf"{missing}\b(?![-.]).*\bextra == ['\"]([\w-]+)['\"]")
    requirements = (entry.dist.requires if missing and entry.dist else None) or ()
    extras = [match[1] for match in map(wanted.match, requirements) if match]
    return f"; extras with it: {', '.join(extras)}" if extras else ""


def _reason(error: Exception) -> str:
    """Return the error's text on one line, with its class where the text alone says little."""
    text = " ".join(str(error).split())
    return (
        text
        if isinstance(error, (ConfigurationError, ValueError, DriverError)) and text
        else f"{type(error).__name__}: {text}"
    )
