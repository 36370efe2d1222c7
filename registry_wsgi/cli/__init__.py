"""The command `registry-wsgi`: one module for each of its verbs."""

from __future__ import annotations

import click

from registry_wsgi._version import __version__
from registry_wsgi.cli.check import check
from registry_wsgi.cli.events import events
from registry_wsgi.cli.garbage_collect import garbage_collect
from registry_wsgi.cli.plugins import plugins
from registry_wsgi.cli.policy import policy
from registry_wsgi.cli.purge_uploads import purge_uploads
from registry_wsgi.cli.self_test import self_test
from registry_wsgi.cli.serve import serve
from registry_wsgi.cli.show_stack import show_stack


@click.group()
@click.version_option(__version__, prog_name="registry-wsgi")
def main() -> None:
    """A container and artifact registry as a set of WSGI layers and plugins."""


for verb in (serve, show_stack, check, plugins, purge_uploads, garbage_collect, policy, events, self_test):
    main.add_command(verb)
