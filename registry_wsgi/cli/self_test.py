"""`registry-wsgi self-test`."""

from __future__ import annotations

import os
import sys

import click


@click.command("self-test")
@click.argument("url")
@click.option("--repository", default="registry-wsgi/self-test", show_default=True, help="Where to push.")
@click.option("--username", "-u", default="", help="Who logs in.")
@click.option("--password", "-p", default="", help="Or the variable REGISTRY_PASSWORD, which others cannot read.")
@click.option("--cacert", type=click.Path(exists=True, dir_okay=False), help="Authorities to trust, a PEM file.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds to wait for an answer.")
def self_test(  # noqa: PLR0917 - click's options
    url: str, repository: str, username: str, password: str, cacert: str | None, timeout: float
) -> None:
    """Push, pull and delete a tiny image through the deployment at URL, and say what is wrong with it in words.

    It goes the way that clients go: through the proxy, TLS and access control. The exit status is 0 if all
    works, 1 if something does not, and 2 if URL is none.
    """
    from registry_wsgi import selftest  # noqa: PLC0415

    try:
        password = password or os.environ.get("REGISTRY_PASSWORD", "")
        client = selftest.Client(url, username=username, password=password, cafile=cacert, timeout=timeout)
    except (ValueError, OSError) as error:
        click.echo(f"registry-wsgi: {error}", err=True)
        sys.exit(2)
    broken = False
    for finding in selftest.run(client, repository):
        broken |= bool(finding.problems)
        click.echo(f"{'not ok' if finding.problems else 'ok':8}{finding.step}")
        for text in finding.problems:
            click.echo(f"        problem: {text}")
        for text in finding.notes:
            click.echo(f"        note: {text}")
    sys.exit(1 if broken else 0)
