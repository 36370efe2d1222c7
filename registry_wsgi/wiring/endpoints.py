"""What the section `notifications` asks for, built: the outbox, and the sinks of endpoints.

Nothing of the API is needed for this, so that the process that delivers events stays small.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from registry_wsgi import config as configuration
from registry_wsgi import plugins
from registry_wsgi.config.notifications import DEFAULT_PATH
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from registry_wsgi.config import Configuration, Endpoint, Notifications
    from registry_wsgi.interfaces import EventSink, Outbox

_KEY = "notifications.outbox"


def create_outbox(notifications: Notifications) -> Outbox:
    """Return the configured outbox, by default a database in a directory of this host. Raises ConfigurationError."""
    section = notifications.outbox or configuration.Outbox("sqlite", {})
    parameters = dict(section.parameters)
    if section.name == "sqlite":
        parameters.setdefault("path", DEFAULT_PATH)
    built: Outbox = plugins.build(plugins.EVENT_OUTBOXES, section.name, parameters, key=f"{_KEY}.name", section=_KEY)
    return built


def create_sink(endpoint: Endpoint) -> EventSink:
    """Return the sink of an endpoint. Raises ConfigurationError."""
    built: EventSink = plugins.build(
        plugins.EVENT_SINKS, endpoint.sink, endpoint.parameters, key=f"{endpoint.key}.sink", section=endpoint.key
    )
    return built


def runs_in_process(endpoint: Endpoint) -> bool:
    """Tell whether the endpoint's sink has to run where the application does."""
    factory = plugins.load(plugins.EVENT_SINKS, endpoint.sink, key=f"{endpoint.key}.sink")
    return bool(getattr(factory, "in_process", False))


def parts(config: Configuration) -> Iterator[Callable[[], object]]:
    """Yield what builds the outbox and each sink, to learn of every one whether it can be built."""
    if config.notifications.endpoints:
        yield partial(_check_path, config)
        yield partial(create_outbox, config.notifications)
    for endpoint in config.notifications.endpoints:
        yield partial(create_sink, endpoint)


def _check_path(config: Configuration) -> None:
    path = _sqlite_path(config.notifications)
    root = config.storage.parameters.get("rootdirectory")
    if path and isinstance(root, str) and Path(path).resolve().is_relative_to(Path(root).resolve()):
        raise ConfigurationError(
            f"{_KEY}.path: {path!r} is inside the storage's directory {root!r}; allowed: a directory of its own"
        )


def _sqlite_path(notifications: Notifications) -> str:
    section = notifications.outbox or configuration.Outbox("sqlite", {})
    return str(section.parameters.get("path", DEFAULT_PATH)) if section.name == "sqlite" else ""
