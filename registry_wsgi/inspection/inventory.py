"""The seams that plugins fill, and what is installed for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from registry_wsgi import plugins
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Seam:
    """A place for plugins: its entry-point group, what they are in `interfaces`, and the suite that they pass."""

    title: str
    group: str
    protocol: str
    suite: str


SEAMS: Final = (
    Seam("storage drivers", plugins.STORAGE_DRIVERS, "StorageDriver", "drivers.StorageDriverSuite"),
    Seam("storage middleware", plugins.STORAGE_MIDDLEWARE, "StorageDriver", "drivers.StorageDriverSuite"),
    Seam("caches", plugins.CACHE_PROVIDERS, "BlobDescriptorCacheProvider", "caches.CacheProviderSuite"),
    Seam("access controllers", plugins.ACCESS_CONTROLLERS, "AccessController", "access.AccessControllerSuite"),
    Seam("layers", plugins.MIDDLEWARE, "WSGIApplication", "layers.LayerSuite"),
    Seam("event sinks", plugins.EVENT_SINKS, "EventSink", "events.EventSinkSuite"),
    Seam("event outboxes", plugins.EVENT_OUTBOXES, "Outbox", "events.OutboxSuite"),
)


@dataclass(frozen=True, slots=True)
class Installed:
    """A plugin by its name, the distribution that it is from, and why it cannot be loaded, if it cannot."""

    name: str
    origin: str
    problem: str


def installed(group: str) -> Iterator[Installed]:
    """Yield what the installed distributions declare in the group, in order; each is imported."""
    for entry in sorted(plugins.declared(group), key=lambda entry: (entry.name, plugins.origin(entry))):
        yield Installed(entry.name, plugins.origin(entry), _problem(group, entry.name))


def _problem(group: str, name: str) -> str:
    try:
        plugins.load(group, name, key=name)
    except ConfigurationError as error:
        return str(error).removeprefix(f"{name}: ")
    return ""
