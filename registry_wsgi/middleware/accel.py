"""nginx sends blobs from the disk by itself: the registry only says which file (X-Accel-Redirect)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from registry_wsgi.errors import ConfigurationError
from registry_wsgi.middleware.compose import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import FileReader, WSGIApplication


class AccelLayer:
    """The layer `accel`, for the driver `filesystem` behind an nginx that can read the same files.

    `rootdirectory` is the driver's; `location` is the path of nginx's internal location with that directory as its
    alias. It takes effect where a whole blob would be sent from a file: who may have it is decided as ever, and
    parts of blobs, small ones and all else go through the registry.
    """

    stage = Stage.OBSERVE

    def __init__(
        self, app: WSGIApplication, *, rootdirectory: str | os.PathLike[str], location: str = "/_registry/"
    ) -> None:
        if not (location.startswith("/") and location.endswith("/")):
            raise ConfigurationError(f"location must begin and end with a slash, not be {location!r}")
        self._app = app
        self._root = os.path.abspath(rootdirectory) + "/"
        self._location = location

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = _Held()
        body = self._app({**environ, "wsgi.file_wrapper": _File}, started)
        if isinstance(body, _File) and started.status.startswith("200"):
            # nginx tells the length of what it sends.
            started.headers = [header for header in started.headers if header[0].lower() != "content-length"]
            started.headers.append(("X-Accel-Redirect", self._location + self._relative(body)))
            body.close()
            body = []
        start_response(started.status, started.headers)
        return body

    def _relative(self, body: _File) -> str:
        path = os.fsdecode(body.reader.name)  # type: ignore[attr-defined]  # a file of the driver has its path
        if not path.startswith(self._root):
            raise ConfigurationError(f"accel: {path} is not below the rootdirectory {self._root}")
        return quote(path.removeprefix(self._root))


class _File:
    """A file to be sent from its beginning, as the core hands it to a server."""

    def __init__(self, reader: FileReader, block: int) -> None:
        self.reader = reader
        self._block = block

    def __iter__(self) -> Iterator[bytes]:
        while block := self.reader.read(self._block):
            yield block

    def close(self) -> None:
        self.reader.close()


class _Held:
    """A start_response that waits until the body is known."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def __call__(
        self, status: str, headers: list[tuple[str, str]], _: OptExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        self.status, self.headers = status, headers
        return _no_write


def _no_write(_: bytes) -> None:
    raise RuntimeError("the registry returns its bodies and writes none")
