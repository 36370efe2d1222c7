"""`registry-wsgi garbage-collect`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from registry_wsgi import config as configuration
from registry_wsgi.cli.configured import config_argument, errors_in_one_line
from registry_wsgi.config.durations import parse_duration
from registry_wsgi.context import Context
from registry_wsgi.errors import ConfigurationError, PathBusy, RegistryError

if TYPE_CHECKING:
    from registry_wsgi.storage.garbage import Collected


@click.command("garbage-collect")
@config_argument
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
@click.option("--delete-untagged", is_flag=True, help="Delete manifests that no tag, index or subject leads to, too.")
@click.option("--grace", default="24h", show_default=True, help="Keep what is younger; an hour or more.")
@click.option("--offline", is_flag=True, help="Nothing else uses the storage: wait for nobody, and allow any --grace.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def garbage_collect(  # noqa: PLR0917 - click's options
    config: str | None, dry_run: bool, delete_untagged: bool, grace: str, offline: bool, as_json: bool
) -> None:
    """Delete the blobs that no manifest uses. The registry may serve and take pushes meanwhile.

    Not beside docker-registry, or anything else that writes into the same storage: stop that, or make it read-only.
    It takes up to a minute longer than the work, for requests that began before; --offline saves that.
    """
    with errors_in_one_line():
        from registry_wsgi import app  # noqa: PLC0415 - slow to import, and needed by few verbs
        from registry_wsgi.storage import garbage  # noqa: PLC0415
        from registry_wsgi.wiring.registry import create_registry  # noqa: PLC0415

        loaded = configuration.load(config)
        app.configure_logs(loaded.log, access_log=False)
        try:
            collected = garbage.collect(
                Context(),
                create_registry(loaded),
                grace=_seconds(grace),
                delete_untagged=delete_untagged,
                dry_run=dry_run,
                offline=offline,
            )
        except PathBusy:
            raise ConfigurationError("another garbage collection is running on this storage") from None
        except RegistryError as error:
            raise ConfigurationError(f"no blob was deleted: {error.detail}") from None
    for line in [_document(collected, dry_run=dry_run)] if as_json else _lines(collected, dry_run=dry_run):
        click.echo(line)
    sys.exit(1 if collected.unreadable else 0)


def _seconds(grace: str) -> float:
    try:
        return parse_duration(grace)
    except ValueError:
        raise ConfigurationError(f"--grace must be a duration such as 24h or 90m, not {grace!r}") from None


def _document(collected: Collected, *, dry_run: bool) -> str:
    return json.dumps(
        {
            "dry_run": dry_run,
            "manifests": [{"repository": name, "digest": digest} for name, digest in collected.manifests],
            "blobs": [{"digest": digest, "size": size} for digest, size in collected.blobs.items()],
            "bytes": collected.size,
            "used": collected.used,
            "recent": collected.recent,
            "unreadable": [{"repository": name, "digest": digest} for name, digest in collected.unreadable],
        }
    )


def _lines(collected: Collected, *, dry_run: bool) -> list[str]:
    return [
        *(f"manifest {name}@{digest}" for name, digest in collected.manifests),
        *(f"blob {digest} {size} bytes" for digest, size in collected.blobs.items()),
        *(
            f"cannot be read, and all of its repository was kept: {name}@{digest}"
            for name, digest in collected.unreadable
        ),
        f"{'would delete' if dry_run else 'deleted'} {len(collected.manifests)} manifests and {len(collected.blobs)}"
        f" blobs, {collected.size} bytes; kept {collected.used} that are used, {collected.recent} for their age",
    ]
