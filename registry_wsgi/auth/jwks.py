"""A JSON Web Key Set (RFC 7517 §5) in a file or at a URL: remembered, and read again when it may have changed."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.request
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from registry_wsgi.context import Context

PublicKey = ECKey | RSAKey | OKPKey

_KINDS: Mapping[object, type[PublicKey]] = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}
_SECONDS = 5.0
_FRESH_SECONDS = 3600.0
_PAUSE_SECONDS = 30.0
_LONGEST = 512 * 1024


class JWKS:
    """Finds keys by id in the set at `place`, a path or an http(s) URL.

    The set is read again once an hour, so that a key that was taken out is forgotten, and for an id that is not in
    it, but then once in 30 seconds at most: anybody can make up ids. While it cannot be read the last one counts.
    Raises ConfigurationError for a file that is none; a server need not be there yet.
    """

    def __init__(self, place: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, PublicKey] = {}
        self._read_at = self._tried_at = float("-inf")
        self._running: Future[None] | None = None
        if not is_url(place):
            try:
                self._keys = parse(read_file(place))
            except (OSError, ValueError) as error:
                raise ConfigurationError(f"jwks: cannot read the key set {place}: {error}") from None
            self._read_at = self._tried_at = clock()

    def find(self, ctx: Context, kid: str) -> PublicKey | None:
        """Return the key, None where there is none of that id."""
        if kid not in self._keys or self._clock() - self._read_at > _FRESH_SECONDS:
            self._refresh(ctx)
        return self._keys.get(kid)

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
            running.exception(2 * _SECONDS)
            return
        try:
            content = fetch(self._place) if is_url(self._place) else read_file(self._place)
            self._keys = parse(content)
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
        return file.read(_LONGEST + 1)


def fetch(url: str) -> bytes:
    """Return what is at the URL, which answers itself: a redirect is not followed. Raises OSError, ValueError."""
    until = time.monotonic() + _SECONDS
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 - the operator's own
    content = b""
    try:
        with _opener.open(request, timeout=_SECONDS) as response:
            while block := response.read1(65536):
                content += block
                if len(content) > _LONGEST or time.monotonic() > until:
                    raise ValueError("it is too long, or takes too long")
    except http.client.HTTPException as error:
        raise OSError(f"the server's answer cannot be read: {error}") from None
    return content


def parse(content: bytes) -> dict[str, PublicKey]:
    """Return the keys that can verify signatures by their ids, those without one by thumbprint. Raises ValueError.

    Keys of kinds that are not known here are left out (RFC 7517 §5), and secret ones, which no key set should have.
    """
    if len(content) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST} bytes")
    try:
        document = json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("it is no JSON object with a list of keys")
    keys: dict[str, PublicKey] = {}
    for jwk in document["keys"]:
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


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow none: keys come from where the operator said, and from nowhere else."""


_opener = urllib.request.build_opener(_NoRedirect)
