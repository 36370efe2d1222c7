"""The command `registry-wsgi`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from registry_wsgi import config as configuration
from registry_wsgi._version import __version__
from registry_wsgi.errors import ConfigurationError

_PATH_VARIABLE = "REGISTRY_CONFIGURATION_PATH"


@click.group()
@click.version_option(__version__, prog_name="registry-wsgi")
def main() -> None:
    """A container and artifact registry as a set of WSGI layers and plugins."""


@main.command()
@click.argument("config", required=False, type=click.Path(dir_okay=False))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Server processes.")
def serve(config: str | None, workers: int) -> None:
    """Serve a registry as CONFIG says, a file in registry:2's format.

    Without CONFIG the file that REGISTRY_CONFIGURATION_PATH names is taken, and without that
    the registry listens on 127.0.0.1:5000 and stores under ./data.
    """
    if config is not None:
        # The server's worker processes load the configuration again, and find it here.
        os.environ[_PATH_VARIABLE] = str(Path(config).resolve())
    try:
        from registry_wsgi import server  # noqa: PLC0415 - granian is an extra, and slow to import

        server.run(configuration.load(), workers=workers)
    except ConfigurationError as error:
        click.echo(f"registry-wsgi: {error}", err=True)
        sys.exit(2)
