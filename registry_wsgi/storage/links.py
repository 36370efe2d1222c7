"""Link files: each holds the digest of what it leads to, and nothing else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from registry_wsgi.descriptor import Digest
from registry_wsgi.errors import DigestInvalid, RegistryError

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver

_PAUSES = (0.001, 0.005, 0.02, 0.1)
"""Seconds before an empty link is read again. registry:2 empties the file of a link and fills it then, between which
ext4 may wait for the disk."""


def read_link(driver: StorageDriver, ctx: Context, path: str) -> Digest:
    """Return the digest that a link holds. Raises PathNotFound, and RegistryError where it holds none."""
    for pause in _PAUSES:
        if content := driver.get_content(ctx, path):
            return _parse(content, path)
        time.sleep(pause)
    return _parse(driver.get_content(ctx, path), path)


def _parse(content: bytes, path: str) -> Digest:
    """Return the digest a link file holds, in a line or alone; a file that holds none is damage, and no missing link.

    registry:2 takes one with a newline, as people and scripts write it, for damage too.
    """
    try:
        return Digest.parse(content.decode("ascii").rstrip("\r\n"))
    except (DigestInvalid, UnicodeDecodeError):
        raise RegistryError(f"the link file {path} holds no digest") from None
