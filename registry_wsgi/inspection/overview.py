"""What a person sees of a registry: where it listens and stores, who gets its events, the layers a request crosses."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from registry_wsgi import plugins
from registry_wsgi.wiring.layers import caching, layers
from registry_wsgi.wiring.notifier import create_notifier
from registry_wsgi.wiring.registry import create_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.config import HTTP, Auth, Cache, Configuration, Notifications, Storage

    Row = tuple[str, str]
    """What is there, and the distribution of the plugin; empty for what is built in."""

_PLACES = ("rootdirectory", "bucket", "container")
"""The parameters of drivers that say where it is stored; others may be secrets."""


def lines(config: Configuration) -> Iterator[str]:
    """Yield the lines to print: a plugin is named with the distribution that it is from, and that one's version."""
    yield f"registry-wsgi listens on {address(config.http)}"
    parts = {
        "storage": list(_storage(config.storage)),
        "cache": list(_cache(config.storage.cache)),
        "access": list(_access(config.auth)),
        "events": list(_events(config.notifications)),
        "layers": [*_layers(config), ("core", "")],
    }
    width = max(len(text) for rows in parts.values() for text, _ in rows)
    for title, rows in parts.items():
        for number, (text, origin) in enumerate(rows):
            yield f"  {'' if number else title:9} {text:{width}}  {origin}".rstrip()
    if config.http.debug.addr:
        debug = config.http.debug
        what = f"{debug.metrics} and /debug/health" if debug.metrics else "/debug/health"
        yield f"  debug     {what} on {_host(debug.interface)}:{debug.port}"
        if not _loopback(debug.interface):
            yield "  warning   the debug server is not on loopback: whoever reaches it can read there"
    if config.auth is None and config.http.net == "tcp" and not _loopback(config.http.interface):
        yield "  warning   no access control, and not on loopback: whoever reaches it can push"


def address(http: HTTP) -> str:
    """Return the URL of the API, or the path of the socket."""
    if http.net == "unix":
        return http.addr
    return f"{'https' if http.tls else 'http'}://{_host(http.interface)}:{http.port}{http.prefix or '/'}v2/"


def _host(interface: str) -> str:
    return f"[{interface}]" if ":" in interface else interface


def _storage(storage: Storage) -> Iterator[Row]:
    """Yield the driver, and what stands around it from the inside out."""
    place = next((f" {storage.parameters[name]}" for name in _PLACES if name in storage.parameters), "")
    yield f"{storage.driver}{place}", plugins.distribution(plugins.STORAGE_DRIVERS, storage.driver)
    for each in storage.middleware:
        yield f"in {each.name}", plugins.distribution(plugins.STORAGE_MIDDLEWARE, each.name)


def _cache(cache: Cache | None) -> Iterator[Row]:
    if cache is not None:
        yield cache.provider, plugins.distribution(plugins.CACHE_PROVIDERS, cache.provider)


def _access(auth: Auth | None) -> Iterator[Row]:
    if auth is not None:
        yield auth.controller, plugins.distribution(plugins.ACCESS_CONTROLLERS, auth.controller)


def _events(notifications: Notifications) -> Iterator[Row]:
    """Yield the endpoints, by name alone since URLs may have secrets in them, and the outbox if one is configured."""
    for each in notifications.endpoints:
        yield f"to {each.name} ({each.sink})", plugins.distribution(plugins.EVENT_SINKS, each.sink)
    if notifications.endpoints and (outbox := notifications.outbox):
        place = f" {outbox.parameters['path']}" if "path" in outbox.parameters else ""
        yield f"kept in {outbox.name}{place}", plugins.distribution(plugins.EVENT_OUTBOXES, outbox.name)


def _layers(config: Configuration) -> Iterator[Row]:
    """Yield the layers from the outside in, each with its stage."""
    configured = {each.name for each in config.middleware}
    for layer in layers(config, notifier=create_notifier(config)):
        origin = plugins.distribution(plugins.MIDDLEWARE, layer.name) if layer.name in configured else ""
        yield f"{layer.name} ({layer.stage.name})", origin
    innermost, remark = caching(config, create_registry(config))
    yield from ((f"{layer.name} ({layer.stage.name})", "") for layer in innermost)
    if remark:
        yield f"({remark})", ""


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
