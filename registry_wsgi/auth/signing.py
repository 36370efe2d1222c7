"""Keys that sign tokens, in a directory that all workers of a registry share: made, rotated and at last removed.

    keys/1764000000-3f9c….pem      when it was made, in seconds since the epoch; a private key, PKCS #8

The newest signs. The others stay, for tokens that they signed are still about.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from joserfc.jwk import ECKey

from registry_wsgi import writable
from registry_wsgi.errors import ConfigurationError, why
from registry_wsgi.keys import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from registry_wsgi.context import Context

ALGORITHM = "ES256"
_NEVER = -1
_NAME = re.compile(r"(\d{10,12})-[0-9a-f]{16}\.pem")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key by the id that tokens name it by: libtrust's fingerprint, which registry:2 knows, too."""

    kid: str
    created: int
    key: ECKey

    def public(self) -> dict[str, Any]:
        return self.key.as_dict(private=False, kid=self.kid, use="sig", alg=ALGORITHM)


class SigningKeys:
    """The keys in `directory`. Each signs for `signs` seconds, and is known for `known` seconds more.

    The directory and a key are made when something is to be signed, or the keys are asked for. Raises
    ConfigurationError where it can be seen that the directory cannot be used.
    """

    def __init__(self, directory: str, *, signs: float, known: float, clock: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._signs = signs
        self._known = known
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, SigningKey] = {}
        self._changed = _NEVER
        try:
            self._read()
            if self._newest() is None:
                writable.check_directory(directory)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"keys: the directory {directory} cannot be used: {why(error)}") from None

    def current(self) -> SigningKey:
        """Return the key to sign with: the newest, or a new one where that is too old."""
        if self._stamp() != self._changed:
            self._read()
        return self._newest() or self._rotated()

    def find(self, ctx: Context, header: Mapping[str, Any]) -> ECKey:  # noqa: ARG002
        """Return the key that a token's header names by its id, and by nothing else. Raises ValueError."""
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise ValueError("the token names no key")
        if kid not in self._keys:
            self._read()  # another worker may have made it a moment ago
        found = self._keys.get(kid)
        if found is None or found.created + self._signs + self._known < self._clock():
            raise ValueError(f"the key {kid[:80]!r} is none of those that sign here")
        return found.key

    def public(self) -> list[dict[str, Any]]:
        """Return the public keys as JWKs, the newest first."""
        self.current()
        until = self._clock() - self._signs - self._known
        kept = [each for each in self._keys.values() if each.created > until]
        return [each.public() for each in sorted(kept, key=lambda each: each.created, reverse=True)]

    def _newest(self) -> SigningKey | None:
        # One that was made while the clock was ahead does not sign until that time has come, and longer.
        current = [each for each in self._keys.values() if abs(self._clock() - each.created) < self._signs]
        return max(current, key=lambda each: (each.created, each.kid), default=None)

    def _rotated(self) -> SigningKey:
        """Make a key, unless another worker did meanwhile, and remove those that nothing needs any more."""
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        with self._lock, _alone(self._directory):
            self._read()
            if (newest := self._newest()) is not None:
                return newest
            self._write(ECKey.generate_key("P-256"))
            for name in os.listdir(self._directory):
                match = _NAME.fullmatch(name)
                if match and int(match[1]) + self._signs + self._known < self._clock():
                    with suppress(FileNotFoundError):
                        os.unlink(os.path.join(self._directory, name))
            self._read()
        made = self._newest()
        if made is None:
            raise ValueError("a key that was just made is gone")
        return made

    def _write(self, key: ECKey) -> None:
        """Write the whole key and then give it its name: a reader sees all or nothing."""
        path = os.path.join(self._directory, f"{int(self._clock())}-{secrets.token_hex(8)}.pem")
        descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(key.as_pem(private=True))
            file.flush()
            os.fsync(descriptor)
        os.rename(f"{path}.new", path)

    def _read(self) -> None:
        """Read the directory. A key that was read before is not read again: its file never changes."""
        changed = self._stamp()
        keys = {}
        for name in os.listdir(self._directory) if changed != _NEVER else ():
            match = _NAME.fullmatch(name)
            if match is None:
                continue
            with suppress(FileNotFoundError), open(os.path.join(self._directory, name), "rb") as file:
                key = ECKey.import_key(file.read())
                kid = fingerprint(key.public_key)
                keys[kid] = self._keys.get(kid) or SigningKey(kid, int(match[1]), key)
        self._keys, self._changed = keys, changed

    def _stamp(self) -> int:
        """Return when the directory was changed last, in nanoseconds since the epoch."""
        try:
            return os.stat(self._directory).st_mtime_ns
        except FileNotFoundError:
            return _NEVER


@contextmanager
def _alone(directory: str) -> Iterator[None]:
    """Hold the directory against other processes. Where there are no locks, two make two keys, and both are good."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
