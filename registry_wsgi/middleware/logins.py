"""How often an address may fail to log in: guessing passwords is slow, and so is making the registry hash them."""

from __future__ import annotations

import ipaddress
import math
import time
from functools import lru_cache
from typing import TYPE_CHECKING

from registry_wsgi.auth.challenge import basic_credentials
from registry_wsgi.errors import TooManyRequests
from registry_wsgi.middleware.failures import Failures, check_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.errors import Unauthorized


class LoginLimit:
    """Lets an address fail `attempts` times in `window` seconds; then nobody there can log in for a while.

    Failures are forgotten one by one, evenly over the window (the generic cell rate algorithm): of an address one
    number is kept, when all of its failures will be forgotten. Processes that share `file` count together. An IPv6
    client has a whole /64 to itself, and counts as one. A client without an address is not limited.
    Raises ConfigurationError.
    """

    def __init__(
        self, *, attempts: int, window: float, file: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._window = window
        self._each = window / attempts
        self._clock = clock
        self._file = file
        # Memory is shared with the processes that are forked, so it has to be there; a file is made when it is needed.
        self._failures = None if file else Failures()
        if file:
            check_file(file)

    def check(self, environ: WSGIEnvironment) -> None:
        """Raise TooManyRequests where the request has credentials and its address has failed too often."""
        # Most of the time nobody has failed, and this is all that a request pays.
        if "HTTP_AUTHORIZATION" not in environ:
            return
        failures = self._failures or self._opened()
        if failures.latest() < self._clock():
            return
        address = environ.get("REMOTE_ADDR", "")
        wait = failures.forgotten_at(_network(address)) - self._clock() - self._window + self._each
        if wait > 0:
            seconds = math.ceil(wait)
            raise TooManyRequests(
                f"too many failed logins from {address}; try again in {seconds} s",
                headers={"Retry-After": str(seconds)},
            )

    def failed(self, environ: WSGIEnvironment, error: Unauthorized) -> None:
        """Count a request whose credentials were wrong.

        A bearer token that is out of date or of too small a scope is no guess: its challenge names an `error` (RFC 6750
        §3.1), and clients that work as they should see many of these.
        """
        if not environ.get("HTTP_AUTHORIZATION") or basic_credentials(environ) == ("", ""):
            return
        network = _network(environ.get("REMOTE_ADDR", ""))
        if not network or 'error="' in error.headers.get("WWW-Authenticate", ""):
            return
        (self._failures or self._opened()).add(network, self._clock(), self._each)

    def _opened(self) -> Failures:
        self._failures = Failures(self._file)
        return self._failures


@lru_cache(4096)
def _network(address: str) -> str:
    """Return what counts as one client, empty where the address is none: that of a socket in the file system."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(parsed.ipv4_mapped or ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
