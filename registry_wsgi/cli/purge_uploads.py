"""`registry-wsgi purge-uploads`."""

from __future__ import annotations

import sys

import click

from registry_wsgi import config as configuration
from registry_wsgi.cli.configured import config_argument, errors_in_one_line
from registry_wsgi.context import Context


@click.command("purge-uploads")
@config_argument
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
def purge_uploads(config: str | None, dry_run: bool) -> None:
    """Delete the uploads to which nothing was written for longer than storage.maintenance.uploadpurging.age.

    It may run beside a registry that serves: an upload that is being written is left alone.
    """
    with errors_in_one_line():
        from registry_wsgi import app  # noqa: PLC0415 - slow to import, and needed by few verbs
        from registry_wsgi.storage import purge  # noqa: PLC0415
        from registry_wsgi.wiring.registry import create_registry  # noqa: PLC0415

        loaded = configuration.load(config)
        app.configure_logs(loaded.log, access_log=False)
        purging = loaded.storage.uploadpurging
        driver = create_registry(loaded).driver
        purged = purge.purge_uploads(Context(), driver, age=purging.age, dry_run=dry_run or purging.dryrun)
    for path in purged.deleted:
        click.echo(path)
    sys.exit(1 if purged.errors else 0)
