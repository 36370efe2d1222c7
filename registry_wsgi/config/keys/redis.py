"""The section `redis`, which the cache of that name reads."""

from __future__ import annotations

from typing import Final

from registry_wsgi.config.key import REGISTRY_2, REGISTRY_3, Key, only_2, since_3, unsupported
from registry_wsgi.config.kinds import DURATION, FILE, FILES, POSITIVE, SECRET, SERVERS, TEXT

KEYS: Final = (
    only_2("redis.addr", "the server", TEXT, "", otherwise="required"),
    since_3(
        "redis.addrs[]",
        (
            "the same in registry:3's words; counts where `redis.addr` is absent. Several without "
            "`redis.mastername` are nodes of a Cluster"
        ),
        SERVERS,
    ),
    since_3(
        "redis.mastername",
        "the name by which Sentinels, whose addresses `redis.addrs` are then, know the server",
        TEXT,
        "",
    ),
    since_3("redis.sentinelusername", "the name to log in with at the Sentinels", TEXT, ""),
    since_3("redis.sentinelpassword", "their password, in quotes if it looks like a number", SECRET, ""),
    since_3("redis.username", "the name to log in with", TEXT, ""),
    Key(
        "redis.password",
        "the password, in quotes if it looks like a number; without a name it is that of the default user",
        SECRET,
        "",
    ),
    Key("redis.db", "the number of the database; a Cluster has no other", POSITIVE, 0),
    since_3("redis.clientname", "the name of the connections in Redis' `CLIENT LIST`", TEXT, ""),
    Key(
        "redis.dialtimeout",
        "how long making a connection may take; less than `100ms` counts as that",
        DURATION,
        0.0,
        otherwise="`500ms`",
    ),
    Key("redis.readtimeout", "how long an answer may take, in the same way", DURATION, 0.0, otherwise="`500ms`"),
    Key(
        "redis.writetimeout",
        "the longer of this and `redis.readtimeout` counts for both",
        DURATION,
        0.0,
        otherwise="`500ms`",
    ),
    only_2("redis.pool.maxactive", "the most connections of a process", POSITIVE, 0, otherwise="`64`"),
    since_3("redis.maxactiveconns", "the same in registry:3's words", POSITIVE, 0, otherwise="`64`"),
    since_3("redis.poolsize", "the same, where `redis.maxactiveconns` is absent", POSITIVE, 0, otherwise="`64`"),
    since_3(
        "redis.pooltimeout",
        "how long a request waits while all connections are in use",
        DURATION,
        0.0,
        otherwise="`500ms`",
    ),
    since_3(
        "redis.tls.certificate",
        "a PEM file to show to the server; makes the connections TLS",
        FILE,
        "",
        otherwise="none",
    ),
    since_3(
        "redis.tls.key", "a PEM file with its private key, unless `certificate` has it", FILE, "", otherwise="none"
    ),
    since_3(
        "redis.tls.rootcas[]",
        "PEM files of authorities to trust beside those of the system; makes the connections TLS",
        FILES,
    ),
    *unsupported("redis.pool.maxidle", releases=REGISTRY_2, meaning="the most connections that wait"),
    *unsupported("redis.pool.idletimeout", releases=REGISTRY_2, meaning="how long a connection waits"),
    *unsupported("redis.minidleconns", releases=REGISTRY_3, meaning="the fewest connections that wait"),
    *unsupported("redis.maxidleconns", releases=REGISTRY_3, meaning="the most connections that wait"),
    *unsupported("redis.connmaxidletime", releases=REGISTRY_3, meaning="how long a connection waits"),
    *unsupported("redis.connmaxlifetime", releases=REGISTRY_3, meaning="how long a connection lives"),
    *unsupported("redis.poolfifo", releases=REGISTRY_3, meaning="which connection is taken"),
    *unsupported("redis.maxretries", releases=REGISTRY_3, meaning="how often a command is tried again"),
    *unsupported("redis.minretrybackoff", releases=REGISTRY_3, meaning="the shortest pause before that"),
    *unsupported("redis.maxretrybackoff", releases=REGISTRY_3, meaning="… and the longest"),
    *unsupported("redis.contexttimeoutenabled", releases=REGISTRY_3, meaning="whether a request's own deadline counts"),
    *unsupported("redis.protocol", releases=REGISTRY_3, meaning="the version of RESP"),
    *unsupported("redis.unstableresp3", releases=REGISTRY_3, meaning="answers of modules in RESP3"),
    *unsupported("redis.disableidentity", releases=REGISTRY_3, meaning="whether the client does not name its library"),
    *unsupported("redis.identitysuffix", releases=REGISTRY_3, meaning="what is added to that name"),
    *unsupported("redis.maxredirects", releases=REGISTRY_3, meaning="how many redirections of a Cluster are followed"),
    *unsupported("redis.readonly", releases=REGISTRY_3, meaning="whether a Cluster's replicas are read from"),
    *unsupported("redis.routebylatency", releases=REGISTRY_3, meaning="… from the nearest"),
    *unsupported("redis.routerandomly", releases=REGISTRY_3, meaning="… from any"),
)
