"""`registry-wsgi serve`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from registry_wsgi import config as configuration
from registry_wsgi.cli.configured import config_argument, errors_in_one_line
from registry_wsgi.config.environment import CONFIGURATION_PATH


@click.command()
@config_argument
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Server processes.")
def serve(config: str | None, workers: int) -> None:
    """Serve a registry as CONFIG says, a file in registry:2's format.

    Without CONFIG the file that REGISTRY_CONFIGURATION_PATH names is taken, and without that
    the registry listens on 127.0.0.1:5000 and stores under ./data.
    """
    if config is not None:
        # The server's worker processes load the configuration again, and find it here.
        os.environ[CONFIGURATION_PATH] = str(Path(config).resolve())
    with errors_in_one_line():
        from registry_wsgi import server  # noqa: PLC0415 - granian is an extra, and slow to import

        server.run(configuration.load(), workers=workers)
