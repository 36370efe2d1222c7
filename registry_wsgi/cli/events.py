"""`registry-wsgi events`."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from registry_wsgi import config as configuration
from registry_wsgi.cli.configured import config_argument, errors_in_one_line
from registry_wsgi.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.interfaces import Outbox

_COLUMNS = ("pending", "sent", "dropped", "failures", "errors")


@click.group()
def events() -> None:
    """The events of a registry on their way to endpoints."""


@events.command()
@config_argument
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, with the endpoints' answers counted.")
def pending(config: str | None, as_json: bool) -> None:
    """Show how many events wait for each endpoint, and what has come of others.

    `sent` are delivered, `dropped` left out; `failures` and `errors` are attempts that an endpoint refused, or in which
    it could not be reached.
    """
    with _outbox(config) as outbox:
        statistics = outbox.statistics()
    if as_json:
        click.echo(json.dumps({name: asdict(each) for name, each in statistics.items()}, indent=2))
        return
    for name, each in statistics.items():
        numbers = "  ".join(f"{column} {getattr(each, column)}" for column in _COLUMNS)
        click.echo(f"{name}: {numbers}")
        if each.pending and each.last_error:
            click.echo(f"  last error: {each.last_error}")


@events.command()
@click.argument("endpoint")
@config_argument
def forget(endpoint: str, config: str | None) -> None:
    """Drop all that waits for ENDPOINT, one that the configuration no longer has."""
    with _outbox(config) as outbox:
        dropped = outbox.forget(endpoint)
    click.echo(f"{endpoint}: {dropped} events dropped")


@contextmanager
def _outbox(config: str | None) -> Iterator[Outbox]:
    with errors_in_one_line():
        from registry_wsgi.wiring.endpoints import create_outbox  # noqa: PLC0415

        notifications = configuration.load(config).notifications
        if not notifications.names:
            raise ConfigurationError("notifications.endpoints: there are none, so no events wait for any")
        try:
            yield create_outbox(notifications)
        except Unavailable as error:
            raise ConfigurationError(f"notifications.outbox: {error.detail}") from None
