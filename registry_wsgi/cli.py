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
from registry_wsgi.config.files import DocumentFile
from registry_wsgi.context import Context
from registry_wsgi.errors import ConfigurationError, DriverError, NameInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.auth.rules import Rules
    from registry_wsgi.config import Auth

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
        from registry_wsgi import app, wiring  # noqa: PLC0415
        from registry_wsgi.storage.purge import purge_uploads  # noqa: PLC0415

        loaded = configuration.load(config)
        app.configure_logs(loaded.log, access_log=False)
        purging = loaded.storage.uploadpurging
        driver = wiring.create_registry(loaded).driver
        purged = purge_uploads(Context(), driver, age=purging.age, dry_run=dry_run or purging.dryrun)
    for path in purged.deleted:
        click.echo(path)
    sys.exit(1 if purged.errors else 0)


@main.group()
def policy() -> None:
    """What the rules of the access controller `policy` say."""


@policy.command()
@click.argument("user")
@click.argument("action", type=click.Choice(["pull", "push", "delete", "catalog"]))
@click.argument("repository")
@click.argument("config", required=False, type=click.Path(dir_okay=False))
@click.option("--group", "groups", multiple=True, help="A group that USER is in, beside those of the rules.")
def explain(user: str, action: str, repository: str, config: str | None, groups: tuple[str, ...]) -> None:
    """Say whether USER, or `anonymous`, may do ACTION on REPOSITORY, and which rule decides.

    The catalog is of no repository: any word will do for it. The exit status is 0 if it is allowed, 1 if it
    is not, and 2 if that cannot be told.
    """
    with _errors_in_one_line():
        from registry_wsgi.reference import check_name  # noqa: PLC0415

        rules = _policy_rules(configuration.load(config).auth)
        name = repository if action == "catalog" else check_name(repository)
        decision = rules.decide(rules.caller("" if user == "anonymous" else user, groups), action, name)
    rule = f"rule {decision.number}: {decision.text}" if decision.number else decision.text
    click.echo(f"{'allowed' if decision.allowed else 'denied'} by {rule}" if decision.number else f"denied: {rule}")
    if decision.reason:
        click.echo(f"reason: {decision.reason}")
    sys.exit(0 if decision.allowed else 1)


def _policy_rules(auth: Auth | None) -> Rules:
    """Return the configured rules; the users' own controller, whose files need not be readable here, is not built."""
    from registry_wsgi.auth.policy import PolicyRules, policy_section  # noqa: PLC0415

    section = policy_section({auth.controller: auth.parameters}) if auth else None
    if section is None:
        raise ConfigurationError("auth: has no policy that could explain anything")
    file = section.get("file")
    document = DocumentFile(str(file)) if file else None
    return PolicyRules(rules=section.get("rules"), groups=section.get("groups"), file=document).current(Context())


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """What an operator did wrong is one line, and status 2."""
    try:
        yield
    except (ConfigurationError, DriverError, NameInvalid) as error:
        click.echo(f"registry-wsgi: {error}", err=True)
        sys.exit(2)
