"""From the `redis` section of registry:2's or registry:3's file to a pool of connections."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from redis import BlockingConnectionPool, Connection, ConnectionPool, Redis, SSLConnection
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ADDRESS: Final = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.%]+)\]|(?P<host>[\w.-]*)):(?P<port>\d{1,5})", re.ASCII)

CONNECTIONS: Final = 64
SECONDS: Final = 0.5
"""A request waits this long for Redis where no timeout is given: the storage behind it would have answered."""

LEAST_SECONDS: Final = 0.1
"""registry:2's example file says 10ms, which threads of Python may spend waiting for one another."""


def connect(
    addresses: Sequence[str],
    *,
    username: str,
    password: str,
    db: int,
    clientname: str,
    dial_seconds: float,
    read_seconds: float,
    pool_size: int,
    pool_seconds: float,
    tls: Mapping[str, Any],
) -> Redis:
    """Return a client that connects when it is first used. Zero means the default.

    Raises ConfigurationError for what cannot be an address and for a PEM file that cannot be used.
    """
    host, port = _address(addresses)
    make_pool: Callable[..., ConnectionPool] = BlockingConnectionPool  # redis-py leaves its constructor without types
    pool = make_pool(
        connection_class=SSLConnection if any(tls.values()) else Connection,
        max_connections=pool_size or CONNECTIONS,
        timeout=_seconds(pool_seconds),
        host=host,
        port=port,
        username=username or None,
        password=password or None,
        db=db,
        client_name=clientname or None,
        socket_connect_timeout=_seconds(dial_seconds),
        socket_timeout=_seconds(read_seconds),
        protocol=2,  # every server speaks it, and nothing here needs the other
        # A server that was started anew has dropped the connections of the pool. A timeout is not tried again.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        **(_tls(tls) if any(tls.values()) else {}),
    )
    return Redis(connection_pool=pool)


def _address(addresses: Sequence[str]) -> tuple[str, int]:
    if not addresses:
        raise ConfigurationError("neither redis.addr nor redis.addrs is given")
    if len(addresses) > 1:
        raise ConfigurationError("addrs names more than one server: Cluster and Sentinel are not supported yet")
    match = _ADDRESS.fullmatch(addresses[0])
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ConfigurationError(f"addr must be an address such as redis.example.com:6379, not {addresses[0]!r:.80}")
    return match["ipv6"] or match["host"] or "localhost", int(match["port"])


def _seconds(given: float) -> float:
    return max(given, LEAST_SECONDS) if given else SECONDS


def _tls(tls: Mapping[str, Any]) -> dict[str, Any]:
    certificate, key, authorities = (tls.get(name) or None for name in ("certificate", "key", "rootcas"))
    if key and not certificate:
        raise ConfigurationError("tls.key is given without tls.certificate")
    # Connections load these when they are made. What is wrong with them should be known at start-up.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted = "\n".join(_authority(context, path) for path in authorities or ())
    if certificate:
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            raise ConfigurationError(f"tls.certificate and tls.key: {certificate} cannot be used: {error}") from error
    return {"ssl_certfile": certificate, "ssl_keyfile": key, "ssl_ca_data": trusted or None}


def _authority(context: ssl.SSLContext, path: str) -> str:
    try:
        text = Path(path).read_text()
        context.load_verify_locations(cadata=text)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"tls.rootcas: {path} cannot be used: {error}") from error
    return text
