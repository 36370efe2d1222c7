"""A file of the file system that is read piece by piece."""

from __future__ import annotations

import io
import os

from registry_wsgi.errors import DriverError


class FileStream(io.FileIO):
    """A FileReader. It is a raw file, which has a descriptor, so that servers can send it with sendfile."""

    def __init__(self, driver: str, path: str, located: str, offset: int) -> None:
        """Open the file at `located` for reading. Raises OSError."""
        super().__init__(located)
        self._driver = driver
        self._path = path
        if offset:
            try:
                self.seek(offset)
            except (OSError, OverflowError):  # Past the largest offset there is, so past the end.
                self.seek(0, os.SEEK_END)

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return super().read(size) or b""
        except OSError as error:
            raise self._failed(error) from error

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        try:
            return super().readinto(buffer) or 0
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> DriverError:
        return DriverError(self._driver, f"{self._path}: {error.strerror}")
