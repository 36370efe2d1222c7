"""What every verb that takes a configuration has: the argument, and each mistake in it told in one line."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from registry_wsgi.errors import ConfigurationError, DriverError, NameInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

config_argument = click.argument("config", required=False, type=click.Path(dir_okay=False))
"""The configuration file; without it REGISTRY_CONFIGURATION_PATH names it, and without that the defaults hold."""


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """What an operator did wrong is one line, and status 2."""
    try:
        yield
    except (ConfigurationError, DriverError, NameInvalid) as error:
        click.echo(f"registry-wsgi: {error}", err=True)
        sys.exit(2)
