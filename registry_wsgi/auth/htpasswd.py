"""The controller `htpasswd`: users and bcrypt hashes in Apache's password file (distribution 2.1 to 3.1)."""

from __future__ import annotations

import hashlib
import os
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import bcrypt

from registry_wsgi.auth.challenge import basic_challenge, basic_credentials
from registry_wsgi.auth.needed import anything
from registry_wsgi.auth.remembering import Remembered
from registry_wsgi.auth.watched import Watched
from registry_wsgi.errors import ConfigurationError, why
from registry_wsgi.interfaces import Grant

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import Access

_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_LEAST_COST = 4
_LONGEST_PASSWORD = 72  # bytes that bcrypt looks at; longer ones would match by their beginning


class HtpasswdController:
    """Grants everything to whoever has a line in the file at `path`; `realm` goes into the challenge.

    The file is read again when it changes. An unknown user takes the time of a wrong password. What was right
    is remembered for minutes under a keyed hash, never the password itself, and forgotten with a change
    of the file: bcrypt is slow on purpose. Raises ConfigurationError for a file that cannot be read.
    """

    def __init__(self, *, realm: str, path: str) -> None:
        self._realm = realm
        self._users = Watched(lambda: _stamp(path), lambda: _read(path))

    def authorize(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
        users = self._users.current(ctx)
        header = environ.get("HTTP_AUTHORIZATION", "")
        grant = users.remembered.get(header)
        if grant is not None:
            return grant
        credentials = basic_credentials(environ)
        if credentials is None:
            raise basic_challenge(self._realm, access)
        user, password = credentials
        if not _verified(users, user, password.encode()):
            ctx.rule = "htpasswd: no such user with this password"
            raise basic_challenge(self._realm, access)
        grant = _granted(user)
        users.remembered.put(header, grant)
        return grant

    def recall(self, ctx: Context, user: str) -> tuple[Grant, str] | None:
        """Return what a user of the file may, and a mark of the password that they have now."""
        hashed = self._users.current(ctx).hashes.get(user)
        return (_granted(user), hashlib.sha256(b"mark\0" + hashed).hexdigest()[:32]) if hashed is not None else None


@dataclass(frozen=True)
class _Users:
    """What a file holds, a hash that nobody's password has, and which credentials were found right by it."""

    hashes: dict[str, bytes]
    nobody: bytes
    remembered: Remembered[Grant] = field(default_factory=lambda: Remembered(time.monotonic))


def _verified(users: _Users, user: str, password: bytes) -> bool:
    # Whatever is wrong takes the time of a wrong password: an unknown user is compared, too.
    hashed = users.hashes.get(user, users.nobody)
    right = bcrypt.checkpw(password[:_LONGEST_PASSWORD], hashed)
    return right and hashed is not users.nobody and len(password) <= _LONGEST_PASSWORD


def _granted(user: str) -> Grant:
    return Grant(user, anything, rule="htpasswd: any user of the file")


def _read(path: str) -> _Users:
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"path: cannot read the password file {path}: {why(error)}") from None
    hashes: dict[str, bytes] = {}
    cost = _LEAST_COST
    for number, line in enumerate(lines, start=1):
        if not line or line.startswith("#"):
            continue
        user, colon, hashed = line.partition(":")
        if not colon:
            raise ConfigurationError(f"path: line {number} of {path} is not of the form user:hash")
        if (match := _BCRYPT.fullmatch(hashed)) is None:
            hashes.pop(user, None)  # of several lines the last counts, and this one can match nothing
            continue
        hashes[user] = hashed.encode()
        cost = max(cost, int(match[1]))
    # No password is known to have this hash, which takes no time to make: a file is read again within a request.
    return _Users(hashes, bcrypt.gensalt(cost) + b"." * 31)


def _stamp(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError as error:
        raise ConfigurationError(f"path: cannot read the password file {path}: {why(error)}") from None
    return found.st_mtime_ns, found.st_ino, found.st_size
