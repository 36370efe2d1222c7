"""The command `registry-wsgi`: one module for each of its verbs."""

from __future__ import annotations

from importlib import import_module

import click

from registry_wsgi._version import __version__

_VERBS = (
    "check",
    "events",
    "garbage-collect",
    "plugins",
    "policy",
    "purge-uploads",
    "self-test",
    "serve",
    "show-stack",
)


class _Verbs(click.Group):
    """The verbs, each imported when it is asked for: `serve` need not wait for what the others import."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _VERBS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"{__name__}.{name}"), name)
        return command


@click.group(cls=_Verbs)
@click.version_option(__version__, prog_name="registry-wsgi")
def main() -> None:
    """A container and artifact registry as a set of WSGI layers and plugins."""
