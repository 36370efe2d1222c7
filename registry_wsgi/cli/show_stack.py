"""`registry-wsgi show-stack`."""

from __future__ import annotations

import click

from registry_wsgi import config as configuration
from registry_wsgi.cli.configured import config_argument, errors_in_one_line


@click.command("show-stack")
@config_argument
def show_stack(config: str | None) -> None:
    """Show what `serve` would serve as CONFIG says: address, storage, the layers in their order, and plugins."""
    with errors_in_one_line():
        from registry_wsgi.inspection import overview  # noqa: PLC0415 - slow to import, and needed by few verbs

        lines = list(overview.lines(configuration.load(config)))
    click.echo("\n".join(lines))
