"""YAML files of their own beside the configuration, which may change while the registry runs."""

from __future__ import annotations

import os
from typing import Any

from registry_wsgi.config import document
from registry_wsgi.errors import ConfigurationError, why


class DocumentFile:
    """The YAML file at `path`, as plugins are given it (`registry_wsgi.interfaces.Document`)."""

    def __init__(self, path: str) -> None:
        self.path = path

    def stamp(self) -> tuple[int, ...]:
        """Return what is another after each change of the file. Raises ConfigurationError."""
        try:
            found = os.stat(self.path)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"cannot read {self.path}: {why(error)}") from error
        return found.st_mtime_ns, found.st_ino, found.st_size

    def read(self) -> Any:
        """Return what the file says. Raises ConfigurationError, naming the file and the line."""
        return document.read(self.path)
