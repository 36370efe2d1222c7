"""The command `registry-wsgi`."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry_wsgi import config as configuration
from registry_wsgi._version import __version__
from registry_wsgi.errors import ConfigurationError, DriverError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    with _errors_in_one_line():
        from registry_wsgi import server  # noqa: PLC0415 - granian is an extra, and slow to import

        server.run(configuration.load(), workers=workers)


@main.command("purge-uploads")
@click.argument("config", required=False, type=click.Path(dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
def purge_uploads(config: str | None, dry_run: bool) -> None:
    """Delete the uploads to which nothing was written for longer than storage.maintenance.uploadpurging.age.

    It may run beside a registry that serves: an upload that is being written is left alone.
    """
    with _errors_in_one_line():
        from registry_wsgi import app  # noqa: PLC0415
        from registry_wsgi.context import Context  # noqa: PLC0415
        from registry_wsgi.storage.purge import purge_uploads  # noqa: PLC0415

        loaded = configuration.load(config)
        app.configure_logs(loaded.log, access_log=False)
        purging = loaded.storage.uploadpurging
        driver = app.create_registry(loaded).driver
        purged = purge_uploads(Context(), driver, age=purging.age, dry_run=dry_run or purging.dryrun)
    for path in purged.deleted:
        click.echo(path)
    sys.exit(1 if purged.errors else 0)


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """What an operator did wrong is one line, and status 2."""
    try:
        yield
    except (ConfigurationError, DriverError) as error:
        click.echo(f"registry-wsgi: {error}", err=True)
        sys.exit(2)
