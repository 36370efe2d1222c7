"""From the `redis` section of registry:2's or registry:3's file to the servers that it means."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection, SentinelManagedSSLConnection

from registry_wsgi.errors import ConfigurationError
from registry_wsgi_redis.tls import tls_options
from registry_wsgi_redis.transactions import Cluster, Limited, OneServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from registry_wsgi_redis.transactions import Transactions

    Address = tuple[str, int]

_ADDRESS: Final = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.%]+)\]|(?P<host>[\w.-]*)):(?P<port>\d{1,5})", re.ASCII)

CONNECTIONS: Final = 64
SECONDS: Final = 0.5
"""A request waits this long for Redis where no timeout is given: the storage behind it would have answered."""

LEAST_SECONDS: Final = 0.1
"""registry:2's example file says 10ms, which threads of Python may spend waiting for one another."""


def connect(
    addrs: Sequence[str],
    *,
    mastername: str,
    username: str,
    password: str,
    sentinelusername: str,
    sentinelpassword: str,
    db: int,
    clientname: str,
    dial_seconds: float,
    read_seconds: float,
    pool_size: int,
    pool_seconds: float,
    tls: Mapping[str, Any],
) -> Transactions:
    """Return who runs transactions, and connects when the first one is run. Zero means the default.

    By registry:3's rule the addresses are those of Sentinels where there is a `mastername`, of nodes of a Cluster where
    there are several, and otherwise of the one server.
    Raises ConfigurationError for what cannot be an address and for a PEM file that cannot be used.
    """
    if not addrs:
        raise ConfigurationError("neither redis.addr nor redis.addrs is given")
    addresses = [_address(each) for each in addrs]
    connections = pool_size or CONNECTIONS
    line = {
        "socket_connect_timeout": _seconds(dial_seconds),
        "socket_timeout": _seconds(read_seconds),
        "protocol": 2,  # every server speaks it, and nothing here needs the other
        **tls_options(tls),
    }
    login = {"username": username or None, "password": password or None, "client_name": clientname or None}
    options = line | login | {"max_connections": connections}
    transactions: Transactions
    if mastername:
        sentinels = line | {"username": sentinelusername or None, "password": sentinelpassword or None}
        transactions = OneServer(_found(mastername, addresses, sentinels, options | {"db": db}))
    elif len(addresses) > 1:
        if db:
            raise ConfigurationError(f"db must be 0 where addrs names the nodes of a Cluster, not {db}")
        transactions = Cluster(partial(_cluster, addresses, options))
    else:
        host, port = addresses[0]
        transactions = OneServer(Redis(host=host, port=port, db=db, retry=_once_more(), **options))
    return Limited(transactions, connections, _seconds(pool_seconds))


def _found(mastername: str, sentinels: list[Address], line: dict[str, Any], options: dict[str, Any]) -> Redis:
    """Return a client of the master, which the first Sentinel that answers knows."""
    make: Callable[..., Sentinel] = Sentinel  # redis-py leaves these without types
    find: Callable[..., Redis] = make(sentinels, sentinel_kwargs=line | {"retry": Retry(NoBackoff(), 0)}).master_for
    managed = _SecureManaged if options.get("ssl") else _Managed
    return find(mastername, retry=_once_more(), connection_class=managed, **options)


class _Managed(SentinelManagedConnection):
    """A connection that a timeout ends, as it does those without a Sentinel.

    redis-py would keep it: to a master that hangs, whatever the Sentinels say meanwhile, and with an answer still to
    come, which the next command would take for its own.
    """

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        return super().read_response(*arguments, **{"disconnect_on_error": True, **options})


class _SecureManaged(_Managed, SentinelManagedSSLConnection):
    """The same over TLS."""


def _cluster(addresses: list[Address], options: dict[str, Any]) -> RedisCluster:
    make: Callable[..., ClusterNode] = ClusterNode
    nodes = [make(*address) for address in addresses]
    return RedisCluster(startup_nodes=nodes, require_full_coverage=False, **options)


def _once_more() -> Retry:
    """A server that was started anew has dropped the connections of the pool. A timeout is not tried again."""
    return Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))


def _address(text: str) -> Address:
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ConfigurationError(f"addr must be an address such as redis.example.com:6379, not {text!r:.80}")
    return match["ipv6"] or match["host"] or "localhost", int(match["port"])


def _seconds(given: float) -> float:
    return max(given, LEAST_SECONDS) if given else SECONDS
