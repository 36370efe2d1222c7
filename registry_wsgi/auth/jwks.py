"""A JSON Web Key Set (RFC 7517 §5) in a file or at a URL: remembered, and read again when it may have changed."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from registry_wsgi.auth.fetching import LONGEST, SECONDS, decoded, fetch
from registry_wsgi.errors import ConfigurationError, why

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from registry_wsgi.context import Context

PublicKey = ECKey | RSAKey | OKPKey

_KINDS: Mapping[object, type[PublicKey]] = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}
_FRESH_SECONDS = 3600.0
_PAUSE_SECONDS = 30.0
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


class JWKS:
    """Finds keys by id in the set at `place`, a path or an http(s) URL; `content` is another way to get it.

    The set is read again once an hour, so that a key that was taken out is forgotten, and for an id that is not in
    it, but then once in 30 seconds at most: anybody can make up ids. While it cannot be read the last one counts.
    Raises ConfigurationError for a file that is none; a server need not be there yet.
    """

    def __init__(
        self, place: str, *, content: Callable[[], bytes] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._place = place
        self._content = content or (lambda: fetch(place) if is_url(place) else read_file(place))
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, PublicKey] = {}
        self._read_at = self._tried_at = float("-inf")
        self._running: Future[None] | None = None
        if not is_url(place):
            try:
                self._keys = parse(read_file(place))
            except (OSError, ValueError) as error:
                raise ConfigurationError(f"jwks: cannot read the key set {place}: {why(error)}") from None
            self._read_at = self._tried_at = clock()

    def find(self, ctx: Context, kid: str) -> PublicKey | None:
        """Return the key, None where there is none of that id."""
        if kid not in self._keys or self._stale():
            self._refresh(ctx)
        return self._keys.get(kid)

    def only(self, ctx: Context, algorithm: str) -> PublicKey | None:
        """Return the key for signatures of `algorithm` where there is exactly one, for tokens that name none."""
        if not self._keys or self._stale():
            self._refresh(ctx)
        fitting = [key for key in self._keys.values() if _fits(key, algorithm)]
        return fitting[0] if len(fitting) == 1 else None

    def _stale(self) -> bool:
        return self._clock() - self._read_at > _FRESH_SECONDS

    def _refresh(self, ctx: Context) -> None:
        """Read the set, in one thread; those that want it at the same time wait for that one, and no lock is held."""
        with self._lock:
            running = self._running
            if running is None:
                if self._clock() - self._tried_at < _PAUSE_SECONDS:
                    return
                self._tried_at = self._clock()
                mine: Future[None] = Future()
                self._running = mine
        if running is not None:
            running.exception(4 * SECONDS)
            return
        try:
            self._keys = parse(self._content())
            self._read_at = self._clock()
        except (OSError, ValueError) as error:
            ctx.error("the key set cannot be read", **{"auth.jwks": self._place, "auth.error": error})
        finally:
            with self._lock:
                self._running = None
            mine.set_result(None)


def is_url(place: str) -> bool:
    return place.startswith(("https://", "http://"))


def read_file(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(LONGEST + 1)


def parse(content: bytes) -> dict[str, PublicKey]:
    """Return the keys that can verify signatures by their ids, those without one by thumbprint. Raises ValueError.

    Keys of kinds that are not known here are left out (RFC 7517 §5), and secret ones, which no key set should have.
    """
    listed = decoded(content).get("keys")
    if not isinstance(listed, list):
        raise ValueError("it has no list of keys")
    keys: dict[str, PublicKey] = {}
    for jwk in listed:
        if isinstance(jwk, dict) and jwk.get("kty") in _KINDS and jwk.get("use", "sig") == "sig":
            key = public_key(jwk)
            keys[key.kid or key.thumbprint()] = key
    return keys


def public_key(jwk: Mapping[str, Any]) -> PublicKey:
    """Return the key that a JWK is; raise ValueError where it is none, or secret."""
    if jwk.get("kty") not in _KINDS or "d" in jwk:
        raise ValueError("it is not the public part of a key of the kinds EC, RSA and OKP")
    try:
        key = _KINDS[jwk["kty"]].import_key(dict(jwk))
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"a key cannot be read: {error}") from None
    return checked(key)


def checked(key: PublicKey) -> PublicKey:
    """Return the key; raise ValueError where RSA is too short to be safe, or so long that verifying takes seconds."""
    if isinstance(key, RSAKey) and not 2048 <= key.public_key.key_size <= 8192:
        raise ValueError("RSA keys have 2048 to 8192 bits here")
    return key


def _fits(key: PublicKey, algorithm: str) -> bool:
    """Tell whether signatures of the algorithm can be verified with the key, and are meant to be (RFC 7518 §3.1)."""
    if key.alg is not None and key.alg != algorithm:
        return False
    if isinstance(key, ECKey):
        return _CURVES.get(algorithm) == key.curve_name
    return algorithm.startswith(("RS", "PS")) if isinstance(key, RSAKey) else algorithm.startswith("Ed")
