"""`registry-wsgi policy`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from registry_wsgi import config as configuration
from registry_wsgi.cli.configured import config_argument, errors_in_one_line
from registry_wsgi.config.files import DocumentFile
from registry_wsgi.context import Context
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from registry_wsgi.auth.rules import Rules
    from registry_wsgi.config import Auth


@click.group()
def policy() -> None:
    """What the rules of the access controller `policy` say."""


@policy.command()
@click.argument("user")
@click.argument("action", type=click.Choice(["pull", "push", "delete", "catalog"]))
@click.argument("repository")
@config_argument
@click.option("--group", "groups", multiple=True, help="A group that USER is in, beside those of the rules.")
def explain(user: str, action: str, repository: str, config: str | None, groups: tuple[str, ...]) -> None:
    """Say whether USER, or `anonymous`, may do ACTION on REPOSITORY, and which rule decides.

    The catalog is of no repository: any word will do for it. The exit status is 0 if it is allowed, 1 if it
    is not, and 2 if that cannot be told.
    """
    with errors_in_one_line():
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
