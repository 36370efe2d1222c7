"""Connections as the section `redis` asks for them, and what is said at start-up of what cannot be."""

from __future__ import annotations

import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from registry_wsgi_redis import RedisCacheProvider

import registry_wsgi
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import BlobUnknown, ConfigurationError, Unavailable
from tests import servers
from tests.components import require
from tests.redis_servers import MASTER, start_cluster, tls_arguments

CTX = Context()
DIGEST = Digest.of(b"content")
DESCRIPTOR = Descriptor(DIGEST, 7)


@pytest.fixture
def free_port():
    return servers.free_port()


def works(provider):
    provider.set_descriptor(CTX, DIGEST, DESCRIPTOR)
    return provider.stat(CTX, DIGEST) == DESCRIPTOR


def refusal(provider):
    """Return what Redis, or the way to it, had against the provider."""
    with pytest.raises(Unavailable) as raised:
        provider.stat(CTX, DIGEST)
    return str(raised.value.__cause__)


def test_a_password_logs_the_default_user_in(start_redis):
    server = start_redis("--requirepass", "secret")
    assert works(RedisCacheProvider(addr=server.address, password="secret"))
    assert "Authentication required" in refusal(RedisCacheProvider(addr=server.address))
    assert "secret" not in refusal(RedisCacheProvider(addr=server.address, password="wrong secret"))


def test_a_user_needs_no_more_than_the_keys_of_the_cache(start_redis):
    commands = "+multi +exec +hset +hsetnx +hmget +sadd +srem +sismember +del +get +set"
    keys = ("~blobs::*", "~repository::*", "~link::*")
    server = start_redis("--user", "registry", "on", ">secret", *keys, *commands.split())
    provider = RedisCacheProvider(addr=server.address, username="registry", password="secret")
    assert works(provider)
    scoped = provider.repository_scoped("a/b")
    assert works(scoped)
    scoped.clear(CTX, DIGEST)
    with pytest.raises(BlobUnknown):
        scoped.stat(CTX, DIGEST)
    provider.testify(CTX, "/a/link", 60.0)
    assert provider.testified(CTX, "/a/link")
    provider.withdraw(CTX, "/a/link", 60.0)
    assert not provider.testified(CTX, "/a/link")


def test_a_database_and_a_name_are_chosen(redis):
    provider = RedisCacheProvider(addrs=[redis.address], db=3, clientname="the-registry")
    assert works(provider)
    with redis.client(db=3) as client:
        assert client.exists(f"blobs::{DIGEST}")
        assert "the-registry" in {each["name"] for each in client.client_list()}
    with redis.client() as client:
        assert not client.exists(f"blobs::{DIGEST}")


def test_threads_wait_for_one_another_where_connections_are_few(redis):
    provider = RedisCacheProvider(addr=redis.address, clientname="few", pool={"maxactive": 2}, pooltimeout=10.0)
    provider.set_descriptor(CTX, DIGEST, DESCRIPTOR)
    with ThreadPoolExecutor(20) as threads:
        assert list(threads.map(lambda _: provider.stat(CTX, DIGEST), range(200))) == [DESCRIPTOR] * 200
    with redis.client() as client:
        assert 1 <= len([each for each in client.client_list() if each["name"] == "few"]) <= 2


def test_a_connection_that_the_server_dropped_is_made_anew_without_a_failure(redis):
    provider = RedisCacheProvider(addr=redis.address)
    assert works(provider)
    with redis.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
    assert provider.stat(CTX, DIGEST) == DESCRIPTOR


def test_a_server_that_hangs_costs_one_timeout_and_then_nothing(redis, free_port):
    with socket.create_server(("127.0.0.1", free_port)):
        provider = RedisCacheProvider(addr=f"127.0.0.1:{free_port}", readtimeout=0.2)
        started = time.monotonic()
        assert "Timeout" in refusal(provider)
        assert 0.15 < time.monotonic() - started < 2
        started = time.monotonic()
        for _ in range(100):
            refusal(provider)
        assert time.monotonic() - started < 0.1


# ── TLS ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A directory with an authority of its own, and a certificate and key of 127.0.0.1 that it signed."""
    directory = tmp_path_factory.mktemp("certificates")
    openssl = require("openssl")

    def run(*arguments):
        subprocess.run([openssl, *arguments], cwd=directory, check=True, capture_output=True, timeout=60)

    (directory / "extensions").write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")
    run(*new, "-x509", "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
    run(*new, "-subj", "/CN=redis", "-keyout", "server.key", "-out", "server.csr")
    run(
        *("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"),
        *("-extfile", "extensions", "-out", "server.pem"),
    )
    return directory


def speaking_tls(certificates, port):
    """Return what a server is started with that takes TLS alone."""
    return ("--port", "0", *tls_arguments(certificates, port))


def trust(certificates):
    """Return the section `redis.tls` of a client that has a certificate, too."""
    return {
        "rootcas": [str(certificates / "ca.pem")],
        "certificate": str(certificates / "server.pem"),
        "key": str(certificates / "server.key"),
    }


@pytest.fixture
def tls_address(start_redis, certificates, free_port):
    start_redis(*speaking_tls(certificates, free_port))
    return f"127.0.0.1:{free_port}"


def test_tls_is_for_the_sentinels_as_for_the_server_that_they_know(start_redis, certificates, tls_address, tmp_path):
    server, port = tls_address.replace(":", " "), servers.free_port()
    (tmp_path / "sentinel.conf").write_text(f"sentinel monitor {MASTER} {server} 1\ntls-replication yes\n")
    start_redis(str(tmp_path / "sentinel.conf"), "--sentinel", *speaking_tls(certificates, port))
    tls = trust(certificates)
    assert works(RedisCacheProvider(addrs=[f"127.0.0.1:{port}"], mastername=MASTER, tls=tls))
    assert "No master found" in refusal(RedisCacheProvider(addrs=[f"127.0.0.1:{port}"], mastername=MASTER))


def test_tls_trusts_the_named_authority_and_shows_a_certificate(certificates, tls_address):
    tls = trust(certificates)
    assert works(RedisCacheProvider(addr=tls_address, tls=tls))


def test_tls_trusts_no_other_authority(certificates, tls_address):
    tls = {"certificate": str(certificates / "server.pem"), "key": str(certificates / "server.key")}
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(RedisCacheProvider(addr=tls_address, tls=tls))


def test_tls_wants_the_name_of_the_server_in_the_certificate(certificates, tls_address):
    tls = {"rootcas": [str(certificates / "ca.pem")]}
    provider = RedisCacheProvider(addr=tls_address.replace("127.0.0.1", "localhost"), tls=tls)
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(provider)


def test_tls_is_for_all_nodes_of_a_cluster_also_for_those_that_it_names(start_redis, certificates):
    """Of the Cluster's three nodes the section names two, and each has its keys on the node that has their slots."""
    secure = iter([servers.free_port() for _ in range(3)])
    ports = []

    def arguments():
        ports.append(next(secure))
        return ("--tls-cluster", "yes", *tls_arguments(certificates, ports[-1]))

    nodes = start_cluster(start_redis, arguments)
    provider = RedisCacheProvider(addrs=[f"127.0.0.1:{port}" for port in ports[:2]], tls=trust(certificates))
    for name in ("a", "b", "c", "d", "e", "f"):
        assert works(provider.repository_scoped(name))
    assert provider.errors == 0
    assert all(_keys(node) for node in nodes)
    assert refusal(RedisCacheProvider(addrs=[f"127.0.0.1:{port}" for port in ports]))


def _keys(node):
    with node.client() as client:
        return client.keys("repository::*")


# ── start-up ──────────────────────────────────────────────────────────────────────────────────


def start_up(**section):
    storage = {"inmemory": {}, "cache": {"blobdescriptor": "redis"}}
    return registry_wsgi.create_app({"storage": storage, "redis": section})


def test_a_registry_starts_while_redis_is_away(free_port):
    assert start_up(addr=f"127.0.0.1:{free_port}")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({}, "redis.addr: required for the cache redis, but not given"),
        ({"addr": "localhost"}, "redis: addr must be an address such as redis.example.com:6379, not 'localhost'"),
        ({"addr": "localhost:0"}, "redis: addr must be an address"),
        ({"addr": "localhost:65536"}, "redis: addr must be an address"),
        ({"addr": "redis://localhost:6379"}, "redis: addr must be an address"),
        ({"addrs": ["a:1", "b"]}, "redis: addr must be an address such as redis.example.com:6379, not 'b'"),
        ({"addrs": ["a:1", "b:2"], "db": 1}, "redis: db must be 0 where addrs names the nodes of a Cluster, not 1"),
        ({"addr": "a:1", "tls": {"rootcas": ["/none.pem"]}}, "redis: tls.rootcas: /none.pem cannot be used: [Errno 2]"),
        ({"addr": "a:1", "tls": {"certificate": "/none.pem"}}, "redis: tls.certificate and tls.key: /none.pem cannot"),
        ({"addr": "a:1", "tls": {"key": "/none.pem"}}, "redis: tls.key is given without tls.certificate"),
    ],
)
def test_what_cannot_be_is_one_line_at_start_up(section, message):
    with pytest.raises(ConfigurationError) as raised:
        start_up(**section)
    assert message in str(raised.value)


def test_a_file_that_is_no_certificate_is_named(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ConfigurationError, match=rf"redis: tls\.rootcas: {tmp_path}/ca\.pem cannot be used"):
        start_up(addr="a:1", tls={"rootcas": [str(tmp_path / "ca.pem")]})


def test_an_address_in_ipv6_is_written_in_brackets(free_port):
    provider = RedisCacheProvider(addr=f"[::1]:{free_port}")
    with pytest.raises(Unavailable) as raised:
        provider.stat(CTX, DIGEST)
    assert isinstance(raised.value.__cause__, RedisConnectionError)
    assert f"::1:{free_port}" in str(raised.value.__cause__)
