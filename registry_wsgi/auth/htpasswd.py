"""The controller `htpasswd`: users and bcrypt hashes in Apache's password file (distribution 2.1 to 3.1)."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import bcrypt
from cachetools import TTLCache

from registry_wsgi.auth.challenge import basic_challenge, basic_credentials
from registry_wsgi.errors import ConfigurationError
from registry_wsgi.interfaces import Access, Grant

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.context import Context

_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_LEAST_COST = 4
_LONGEST_PASSWORD = 72  # bytes that bcrypt looks at; longer ones would match by their beginning
_REMEMBERED = 10_000
_REMEMBERED_SECONDS = 300.0


class HtpasswdController:
    """Grants everything to whoever has a line in the file at `path`; `realm` goes into the challenge.

    The file is read again when it changes. An unknown user takes the time of a wrong password. What was right
    is remembered for minutes under a keyed hash, never the password itself, and forgotten with a change
    of the file: bcrypt is slow on purpose. Raises ConfigurationError for a file that cannot be read.
    """

    def __init__(self, *, realm: str, path: str) -> None:
        self._realm = realm
        self._path = path
        self._lock = threading.Lock()
        self._users = _read(path)

    def authorize(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
        credentials = basic_credentials(environ)
        if credentials is None:
            raise basic_challenge(self._realm, access)
        user, password = credentials
        if not self._verified(ctx, user, password.encode()):
            ctx.rule = "htpasswd: no such user with this password"
            raise basic_challenge(self._realm, access)
        return Grant(user, lambda _: True, rule="htpasswd: any user of the file")

    def recall(self, ctx: Context, user: str) -> tuple[Grant, str] | None:
        """Return what a user of the file may, and a mark of the password that they have now."""
        users = self._current(ctx)
        hashed = users.hashes.get(user)
        if hashed is None:
            return None
        grant = Grant(user, lambda _: True, rule="htpasswd: any user of the file")
        return grant, hashlib.sha256(b"mark\0" + hashed).hexdigest()[:32]

    def _verified(self, ctx: Context, user: str, password: bytes) -> bool:
        users = self._current(ctx)
        key = users.key_of(user, password)
        with self._lock:
            if key in users.remembered:
                return True
        # Whatever is wrong takes the time of a wrong password: an unknown user is compared, too.
        hashed = users.hashes.get(user, users.nobody)
        right = bcrypt.checkpw(password[:_LONGEST_PASSWORD], hashed)
        if not right or hashed is users.nobody or len(password) > _LONGEST_PASSWORD:
            return False
        with self._lock:
            users.remembered[key] = True
        return True

    def _current(self, ctx: Context) -> _Users:
        """Return the users of the file as it is now; while it cannot be read, those that were read last."""
        users = self._users
        try:
            if _stamp(self._path) != users.stamp:
                self._users = users = _read(self._path)
        except (OSError, ConfigurationError) as error:
            ctx.error("the password file cannot be read again", **{"auth.error": error})
        return users


@dataclass(frozen=True)
class _Users:
    """What a file holds, and which credentials were found right by it."""

    hashes: dict[str, bytes]
    nobody: bytes
    stamp: tuple[int, ...]
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    remembered: TTLCache[bytes, bool] = field(default_factory=lambda: TTLCache(_REMEMBERED, _REMEMBERED_SECONDS))

    def key_of(self, user: str, password: bytes) -> bytes:
        return hmac.digest(self.secret, user.encode() + b"\0" + password, hashlib.sha256)


def _read(path: str) -> _Users:
    try:
        stamp = _stamp(path)
        with open(path, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"path: cannot read the password file {path}: {error}") from None
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
    return _Users(hashes, bcrypt.hashpw(secrets.token_bytes(16), bcrypt.gensalt(cost)), stamp)


def _stamp(path: str) -> tuple[int, ...]:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_ino, found.st_size
