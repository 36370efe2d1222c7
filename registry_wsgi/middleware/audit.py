"""The audit log: who changed what, who logged in, and who was refused. docs/access.md has the format."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from registry_wsgi import writable
from registry_wsgi.auth.challenge import basic_credentials
from registry_wsgi.context import ENVIRON_KEY
from registry_wsgi.errors import ConfigurationError
from registry_wsgi.middleware.compose import Stage
from registry_wsgi.routes import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import WSGIApplication

STDOUT = "stdout"
_ACTIONS = {"POST": "push", "PUT": "push", "PATCH": "push", "DELETE": "delete"}
_REFUSALS = ("401", "403", "429")
# A pipe takes a line in one piece only up to 4096 bytes (POSIX, PIPE_BUF), and a path can be as long as a client likes.
_LONGEST_LINE = 4096
_LONGEST_VALUE = 255
_CUT_VALUE = 48  # eleven of them fit, even where each character is six in JSON


class AuditLayer:
    """Writes a line for each write, login and refusal to `output`, a path or `stdout`, before the client is answered.

    A read that is answered costs no more than a look at its status. A line that cannot be written is an error in
    the log, and the request goes on: what it did is done. Raises ConfigurationError.
    """

    stage = Stage.OBSERVE

    def __init__(self, app: WSGIApplication, *, output: str) -> None:
        self._app = app
        try:
            if output != STDOUT:
                writable.check_file(output)
        except OSError as error:
            raise ConfigurationError(f"cannot append to {output}: {error.strerror}") from None
        self._output = Output(output)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        ctx: Context = environ[ENVIRON_KEY]
        # What pulls say is not of interest, unless it is a refusal; a login is a read at the base, or of no route.
        quiet = environ["REQUEST_METHOD"] not in _ACTIONS and ctx.route.resource not in (Resource.BASE, Resource.NONE)

        def noting(
            status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            if not quiet or status.startswith(_REFUSALS):
                self._note(ctx, environ, int(status[:3]), headers)
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        try:
            return self._app(environ, noting)
        except Exception:
            if not quiet:
                self._note(ctx, environ, 500, [])
            raise

    def _note(self, ctx: Context, environ: WSGIEnvironment, status: int, headers: list[tuple[str, str]]) -> None:
        for told in _told(ctx, environ, status, headers):
            line = {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "id": ctx.id,
                "address": environ.get("REMOTE_ADDR", ""),
                "user": ctx.user,
                "repository": ctx.route.name,
                "reference": "",
                "digest": "",
                "from": "",
                **told,
                "status": status,
                "rule": ctx.rule,
            }
            try:
                self._output.write(_encoded(line))
            except OSError as error:
                ctx.error("a line of the audit log could not be written", **{"audit.line": line, "audit.error": error})


def _told(
    ctx: Context, environ: WSGIEnvironment, status: int, headers: list[tuple[str, str]]
) -> Iterator[dict[str, str]]:
    """Yield what a request's lines say of their own: what was done, and what came of it."""
    method, resource = environ["REQUEST_METHOD"], ctx.route.resource
    known = environ.get("HTTP_AUTHORIZATION")
    if status in (401, 429):
        challenge = next((value for name, value in headers if name.lower() == "www-authenticate"), "")
        if known and "insufficient_scope" not in challenge:
            # Whoever failed to log in is not that user: it is the name that was tried.
            tried = basic_credentials(environ) or ("", "")
            yield {"action": "login", "outcome": "denied", "user": ctx.user or tried[0]}
        elif resource is not Resource.BASE:  # there every client asks first how to log in
            yield {"action": _action(ctx, method), "outcome": "denied", **_named(ctx)}
    elif status == 403:
        yield {"action": _action(ctx, method), "outcome": "denied", **_named(ctx)}
    elif method in _ACTIONS and ctx.route.name:
        changes = [event for event in ctx.events if event.action != "pull"]
        for event in changes if status < 400 else ():
            yield {
                "action": event.action,
                "outcome": "allowed",
                "repository": event.repository,
                "reference": event.tag,
                "digest": event.descriptor.digest if event.descriptor else "",
                "from": event.from_repository,
            }
        if status >= 400:
            yield {"action": _action(ctx, method), "outcome": "failed", **_named(ctx)}
    elif status == 200 and ctx.user and resource in (Resource.BASE, Resource.NONE):
        yield {"action": "login", "outcome": "allowed"}


def _action(ctx: Context, method: str) -> str:
    if ctx.route.resource in (Resource.BASE, Resource.NONE):
        return "login"
    return "catalog" if ctx.route.resource is Resource.CATALOG else _ACTIONS.get(method, "pull")


def _named(ctx: Context) -> dict[str, str]:
    """Return what the path names: the digest or tag that somebody wanted, which need not be there."""
    if ctx.route.resource not in (Resource.MANIFEST, Resource.BLOB, Resource.REFERRERS):
        return {}
    return {"digest" if ":" in ctx.route.argument else "reference": ctx.route.argument}


def _encoded(line: dict[str, object]) -> bytes:
    content = _cut(line, _LONGEST_VALUE)
    return content if len(content) <= _LONGEST_LINE else _cut(line, _CUT_VALUE)


def _cut(line: dict[str, object], longest: int) -> bytes:
    short = {name: value[:longest] if isinstance(value, str) else value for name, value in line.items()}
    return json.dumps(short, separators=(",", ":")).encode() + b"\n"


class Output:
    """Where lines go: a file that is made with the first one, and again once it was renamed, or the standard output.

    Each line is one write to the end of the file, so that the lines of several processes are never torn
    (POSIX write, O_APPEND).
    """

    def __init__(self, place: str) -> None:
        self._path = "" if place == STDOUT else place
        self._lock = threading.Lock()
        self._descriptor = -1 if self._path else 1

    def write(self, line: bytes) -> None:
        """Raises OSError."""
        with self._lock:
            if self._path and not self._is_open():
                self._open()
            if os.write(self._descriptor, line) < len(line):
                raise OSError("only a part of the line was written")

    def _open(self) -> None:
        stale, self._descriptor = self._descriptor, -1
        if stale >= 0:
            os.close(stale)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _is_open(self) -> bool:
        """Tell whether what is open is what the path names: logrotate may have renamed it."""
        if self._descriptor < 0:
            return False
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False
