"""`registry-wsgi check`."""

from __future__ import annotations

import sys

import click

from registry_wsgi.cli.configured import config_argument


@click.command()
@config_argument
@click.option("--running", is_flag=True, help="The registry runs: do not ask whether its address is free.")
def check(config: str | None, running: bool) -> None:
    """Say everything that would keep a registry from starting as CONFIG says, or from taking what is pushed.

    Nothing is written. The exit status is 0 if there is nothing, and 2 if there is.
    """
    from registry_wsgi.inspection import preflight  # noqa: PLC0415 - slow to import, and needed by few verbs

    problems, warnings = preflight.inspect(config, running=running)
    for line in [*problems, *(f"warning: {text}" for text in warnings), *([] if problems else ["no problems"])]:
        click.echo(line)
    sys.exit(2 if problems else 0)
