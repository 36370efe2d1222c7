"""Notifications as configured: what takes events, and what has them delivered."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from registry_wsgi.config import Endpoint, Outbox
from registry_wsgi.errors import ConfigurationError, Unavailable
from registry_wsgi.wiring import endpoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi import interfaces
    from registry_wsgi.config import HTTP, Configuration, Notifications
    from registry_wsgi.interfaces import Notification
    from registry_wsgi.notifications.intake import Intake
    from registry_wsgi.wiring.courier import Courier

    Listener = Callable[[Notification], object]

_LISTENER = "application"
"""The name of the endpoint that a host application's function is."""


@dataclass(frozen=True, slots=True)
class Notifier:
    """`intake` takes events into `outbox`, and `courier`, once it is started, has them delivered from there."""

    intake: Intake
    courier: Courier
    outbox: interfaces.Outbox

    def prepare(self) -> None:
        """Have the outbox made, before anybody is served; a server may fork afterwards. Raises ConfigurationError."""
        try:
            self.outbox.statistics()
        except Unavailable as error:
            raise ConfigurationError(f"notifications.outbox: {error.detail}") from None
        finally:
            self.outbox.close()


def create_notifier(config: Configuration, listener: Listener | None = None) -> Notifier | None:
    """Return the notifier for the configured endpoints and `listener`, None without any.

    Events for a listener alone wait in memory, where the configuration names no outbox. Nothing is started. Raises
    ConfigurationError.
    """
    if listener is not None:
        config = replace(config, notifications=_with(config, listener))
    notifications = config.notifications
    if not notifications.endpoints:
        return None
    from registry_wsgi.notifications.intake import Intake  # noqa: PLC0415
    from registry_wsgi.notifications.packing import Interest, Packing  # noqa: PLC0415
    from registry_wsgi.wiring.courier import Courier  # noqa: PLC0415 - where it is configured

    for part in endpoints.parts(config):
        part()
    outbox = endpoints.create_outbox(notifications)
    packing = partial(
        Packing,
        [Interest(each.name, each.ignored_actions, each.ignored_media_types) for each in notifications.endpoints],
        addr=_address(config.http),
        root=config.http.host,
        references=notifications.include_references,
    )
    return Notifier(Intake(outbox, packing), Courier(outbox, notifications, config.log), outbox)


def _with(config: Configuration, listener: Listener) -> Notifications:
    configured = config.notifications
    endpoint = Endpoint(
        name=_LISTENER,
        key="events",
        sink="callable",
        parameters={"function": listener},
        threshold=10,
        backoff=1.0,
        ignored_media_types=frozenset(),
        ignored_actions=frozenset(),
    )
    alone = None if configured.endpoints else Outbox("inmemory", {})
    return replace(
        configured,
        endpoints=(*configured.endpoints, endpoint),
        names=configured.names | {_LISTENER},
        outbox=configured.outbox or alone,
    )


def _address(http: HTTP) -> str:
    """Return who this registry is, as docker-registry says it: the host's name, and the port."""
    return f"{socket.gethostname()}:{http.port}" if http.net == "tcp" else http.addr
