"""`registry-wsgi plugins`."""

from __future__ import annotations

import click

from registry_wsgi.inspection.inventory import SEAMS, installed


@click.command()
def plugins() -> None:
    """List what is installed for each seam, from which distribution, and why one cannot be loaded.

    A plugin that cannot be loaded stands in the way of nobody who does not name it.
    """
    for seam in SEAMS:
        click.echo(f"{seam.title} ({seam.group})")
        found = list(installed(seam.group))
        width = max((len(each.name) for each in found), default=0)
        for each in found:
            click.echo(f"  {each.name:{width}}  {each.origin}{f'  ! {each.problem}' if each.problem else ''}")
        if not found:
            click.echo("  none")
