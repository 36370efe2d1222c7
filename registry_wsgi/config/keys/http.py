"""The section `http`."""

from __future__ import annotations

from typing import Final

from registry_wsgi.config.key import REGISTRY_3, Key, ours, refused, unsupported
from registry_wsgi.config.kinds import (
    ADDRESS,
    ANYTHING,
    BOOLEAN,
    DURATION,
    FILE,
    FILES,
    HEADERS,
    PATH,
    PORT,
    POSITIVE,
    PREFIX,
    URL,
    one_of,
)

KEYS: Final = (
    Key(
        "http.addr",
        (
            "the address to listen on; `:5000` is port 5000 of all interfaces, `[::1]:5000` an IPv6 address, "
            "`/run/registry.sock` the path of a socket where `http.net` is `unix`. A file that a killed "
            "server left there is replaced; one that a server listens on is not"
        ),
        ADDRESS,
        "127.0.0.1:5000",
    ),
    Key("http.net", "the kind of socket", one_of("tcp", "unix"), "tcp"),
    Key("http.prefix", "the path under which the registry is served; begins and ends with a slash", PREFIX, ""),
    Key("http.host", "what every URL in a response begins with, before `http.relativeurls`", URL, ""),
    Key(
        "http.secret",
        "accepted and not needed: the state of an upload is in the storage, so replicas share no secret",
        ANYTHING,
    ),
    Key(
        "http.relativeurls",
        (
            "whether URLs in responses are relative to the host. registry:2 has `false`; relative ones are "
            "right behind any proxy"
        ),
        BOOLEAN,
        True,
    ),
    ours(
        "http.trustproxyheaders",
        (
            "whether the `X-Forwarded-` headers `For`, `Proto`, `Host` and `Prefix` are believed: only behind"
            " a proxy that sets them. registry:2 always believes them"
        ),
        BOOLEAN,
        False,
    ),
    ours(
        "http.loginlimit.attempts",
        (
            "how many logins of an address may fail within the window; then it gets "
            "[429](access.md#failed-logins). `0` for any number"
        ),
        POSITIVE,
        20,
    ),
    ours("http.loginlimit.window", "… and how long that is", DURATION, 60.0),
    ours(
        "http.loginlimit.file",
        (
            "a file on a local disk in which the processes of one host count together, made if need be, of 1 MiB;"
            " `serve` with several workers needs none"
        ),
        FILE,
        "",
    ),
    Key("http.headers", "headers added to every response, such as `X-Content-Type-Options: [nosniff]`", HEADERS, {}),
    Key(
        "http.draintimeout",
        (
            "how long running requests may take to end after SIGTERM or SIGINT, while no new connection is "
            "taken; `0` cuts them off"
        ),
        DURATION,
        0.0,
    ),
    Key(
        "http.tls.certificate",
        "a PEM file with the certificate and its chain; makes the registry serve HTTPS",
        FILE,
        "",
    ),
    Key(
        "http.tls.key",
        (
            "a PEM file with the private key, not encrypted; required with `certificate`. granian takes RSA, "
            "ECDSA with P-256 or P-384, and Ed25519"
        ),
        FILE,
        "",
    ),
    Key(
        "http.tls.clientcas[]",
        (
            "a PEM file with the authorities of client certificates; clients must have one. One file is "
            "allowed, put all authorities into it"
        ),
        FILES,
    ),
    *refused("http.tls.clientauth", "asking clients for certificates", releases=REGISTRY_3),
    Key("http.tls.minimumtls", "the oldest version of TLS that is spoken", one_of("tls1.2", "tls1.3"), "tls1.2"),
    *refused("http.tls.ciphersuites", "a choice of cipher suites"),
    *refused("http.tls.letsencrypt", "fetching certificates from Let's Encrypt", "cachefile email hosts directoryurl"),
    Key(
        "http.debug.addr",
        (
            "where the [debug server](monitoring.md#the-debug-server) listens, on another address than the "
            "registry; `:5001` is port 5001 of loopback alone"
        ),
        PORT,
        "",
    ),
    Key(
        "http.debug.prometheus.enabled",
        "whether there are [metrics](monitoring.md#metrics); needs the extra `metrics`",
        BOOLEAN,
        False,
    ),
    Key("http.debug.prometheus.path", "their path", PATH, "/metrics"),
    ours(
        "http.debug.prometheus.mainport",
        "whether they are at that path of the registry's own address too, for everybody",
        BOOLEAN,
        False,
    ),
    *unsupported("http.http2", "disabled", meaning="whether HTTP/2 over TLS is left out"),
    *unsupported("http.h2c", "enabled", releases=REGISTRY_3, meaning="HTTP/2 without TLS"),
)
