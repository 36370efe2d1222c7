"""Plugins by entry-point group and name: found, imported when named, built from a section's keys.

Built-in ones are declared in setup.cfg exactly like a stranger's. A plugin is a factory whose
keyword parameters are the keys of its section; a layer's first parameter, the application
inside it, is no key. Every failure is a ConfigurationError of one line that names the key.
A parameter annotated AccessController is one by name (`users: {htpasswd: {…}}`), a Document the path of a YAML file.
"""

from __future__ import annotations

import re
import sys
import typing
from functools import lru_cache
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from registry_wsgi.config.files import DocumentFile
from registry_wsgi.errors import ConfigurationError, DriverError
from registry_wsgi.parameters import hint, mistakes, reason, types_of

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

OF_THE_PROJECT: Final[Mapping[tuple[str, str], str]] = {
    (STORAGE_DRIVERS, "s3"): "registry-wsgi-s3",
    (STORAGE_DRIVERS, "s3aws"): "registry-wsgi-s3",
    (STORAGE_DRIVERS, "azure"): "registry-wsgi-objectstore",
    (STORAGE_DRIVERS, "gcs"): "registry-wsgi-objectstore",
    (STORAGE_DRIVERS, "objectstore"): "registry-wsgi-objectstore",
    (CACHE_PROVIDERS, "redis"): "registry-wsgi-redis",
    (MIDDLEWARE, "opentelemetry"): "registry-wsgi-opentelemetry",
    (STORAGE_MIDDLEWARE, "opentelemetry"): "registry-wsgi-opentelemetry",
}
"""The plugins that this project has as distributions of their own, for who names one that is not installed."""


def declared(group: str, name: str | None = None) -> metadata.EntryPoints:
    """Return the entry points of the group, those of that name if one is given; nothing is imported."""
    found: metadata.EntryPoints = _scanned(tuple(sys.path)).select(group=group)
    return found if name is None else found.select(name=name)


@lru_cache(1)
def _scanned(_: tuple[str, ...]) -> Any:  # before Python 3.12 not of the type EntryPoints
    """Return all entry points of what is installed: to look through 120 distributions takes 25 ms each time."""
    return metadata.entry_points()


def names(group: str) -> list[str]:
    """Return the names that the installed distributions declare in the group, in order; nothing is imported."""
    return sorted({entry.name for entry in declared(group)})


def distribution(group: str, name: str) -> str:
    """Return the name and the version of the distribution that declares the plugin, empty where none does."""
    return next((origin(entry) for entry in declared(group, name)), "")


def load(group: str, name: str, *, key: str) -> Factory:
    """Import the plugin and return its factory; `key` is the configuration key that named it.

    Raises ConfigurationError for an unknown name, for one that two distributions declare,
    since neither may take the other's place unasked, and where the import fails.
    """
    found = list(declared(group, name))
    if not found:
        raise ConfigurationError(f"{key}: {_unknown(group, name)}")
    if len(found) > 1:
        owners = ", ".join(sorted(origin(entry) for entry in found))
        raise ConfigurationError(f"{key}: {name!r} is declared by more than one installed distribution: {owners}")
    try:
        factory = found[0].load()
    except Exception as error:
        raise ConfigurationError(
            f"{key}: {name!r} of {origin(found[0])} cannot be imported: {reason(error)}{_extras(found[0], error)}"
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
    wrong = list(mistakes(factory, parameters, key=section, arguments=len(arguments)))
    made = dict(parameters)
    for parameter, value in parameters.items():
        try:
            made[parameter] = _made(factory, parameter, value, key=f"{section}.{parameter}")
        except ConfigurationError as error:
            wrong.append(error)
    _raise_all(wrong)
    try:
        return factory(*arguments, **made)
    except (ConfigurationError, ValueError, OSError, DriverError) as error:
        raise ConfigurationError(f"{section}: {reason(error)}") from error


def check(factory: Factory, parameters: Mapping[str, object], *, key: str, arguments: int = 0) -> None:
    """Compare the keys of a section with the keyword parameters of its factory, as `mistakes` does.

    Raises ConfigurationError.
    """
    _raise_all(mistakes(factory, parameters, key=key, arguments=arguments))


def _raise_all(wrong: Iterable[ConfigurationError]) -> None:
    """Raise the first, which brings the others."""
    found = [each for one in wrong for each in (one, *one.others)]
    if found:
        found[0].others = tuple(found[1:])
        raise found[0]


def _made(factory: Factory, parameter: str, value: object, *, key: str) -> object:
    """Return the value of a parameter, or what is made of one that stands for something else."""
    types = types_of(factory, parameter)
    if "AccessController" in types:
        return _controller(value, key=key)
    return DocumentFile(value) if "Document" in types and isinstance(value, str) else value


def _controller(value: object, *, key: str) -> object:
    """Return the access controller that a section names; one that was made in code is one already."""
    if not isinstance(value, (dict, list, str, int, float, type(None))):
        return value
    if not isinstance(value, dict) or len(value) != 1 or not isinstance(next(iter(value.values())), (dict, type(None))):
        allowed = ", ".join(names(ACCESS_CONTROLLERS))
        raise ConfigurationError(f"{key}: must be one access controller with its parameters; allowed: {allowed}")
    ((name, parameters),) = value.items()
    return build(ACCESS_CONTROLLERS, str(name), parameters or {}, key=f"{key}.{name}")


def _unknown(group: str, name: str) -> str:
    """Return what is said of a name that no installed distribution declares.

    Layers that make a registry fail are offered to nobody who did not mean one.
    """
    offered = [
        entry.name
        for entry in declared(group)
        if not entry.module.startswith("registry_wsgi.testing.")
        or entry.name.partition("-")[0] == name.partition("-")[0]
    ]
    if owner := OF_THE_PROJECT.get((group, name)):
        return f"{name!r} is a plugin of {owner}, which is not installed{hint('', offered)}"
    return f"unknown name {name!r}{hint(name, offered)}"


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
