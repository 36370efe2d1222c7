"""Who writes a path: an object that only one can create, with a name in it and the time until which it holds."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Final

from registry_wsgi.errors import PathBusy, PathNotFound
from registry_wsgi_objectstore.pieces import lock_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from obstore import UpdateVersion

    from registry_wsgi_objectstore.objects import Objects

LEASE_SECONDS: Final = 10.0
"""So long after the last sign of life of a process that was killed another one may go on. Clocks may differ by less."""


class Lock:
    """The hold of a path, renewed by whoever uses it. A hold that has run out stands until another one wants it."""

    def __init__(self, objects: Objects, path: str, clock: Callable[[], float] = time.time) -> None:
        """Take the hold. Raises PathBusy where another one has it."""
        self._objects = objects
        self._clock = clock
        self._owner = uuid.uuid4().hex
        self.path = path
        self._until = 0.0
        try:
            self._version = objects.create(lock_path(path), self._record())
        except PathBusy:
            self._version = self._taken_over()

    def _taken_over(self) -> UpdateVersion:
        """Replace a hold that has run out: of several who try one succeeds."""
        try:
            record, found = self._objects.get(lock_path(self.path))
            if json.loads(record)["until"] >= self._clock():
                raise PathBusy(self._objects.name, self.path)
            return self._objects.replace(found.path, self._record(), found.version)
        except (PathNotFound, PathBusy):
            raise PathBusy(self._objects.name, self.path) from None

    def _record(self) -> bytes:
        self._until = self._clock() + LEASE_SECONDS
        return json.dumps({"owner": self._owner, "until": self._until}).encode()

    def renew(self) -> None:
        """Raises PathNotFound where it was taken over, or deleted with what it holds."""
        try:
            self._version = self._objects.replace(lock_path(self.path), self._record(), self._version)
        except PathBusy:
            raise PathNotFound(self._objects.name, self.path) from None

    def release(self) -> None:
        """Let go of the path, if it is still held."""
        try:
            self.renew()  # and it cannot be taken over before it is deleted
        except PathNotFound:
            return
        self._objects.delete([lock_path(self.path)])
