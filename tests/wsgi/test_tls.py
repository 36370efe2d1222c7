"""HTTPS by the server itself: versions, certificates of clients, and files that cannot be used."""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from registry_wsgi.testing.certificates import Authority, Pair, authority
from tests.servers import Server, free_port
from tests.wire import digest_of, with_query
from tests.wsgi.commands import refusal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

REFUSED = (ssl.SSLError, ConnectionError)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def pair(ca: Authority) -> Pair:
    return ca.issue("server")


class Secure(Protocol):
    def __call__(self, **tls: object) -> Server: ...


@pytest.fixture
def secure(serve: Serve, pair: Pair) -> Secure:
    """Start a registry with the keys given in `http.tls`, beside its certificate and key."""

    def start(**tls: object) -> Server:
        files = {"certificate": str(pair.certificate), "key": str(pair.key)}
        return serve(sections={"http": {"relativeurls": False, "tls": files | tls}}, answers=listens)

    return start


def listens(server: Server) -> bool:
    """Tell whether somebody speaks TLS there, whatever comes of it."""
    address, port = server.host.split(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with closing(socket.socket()) as connection:
        if connection.connect_ex((address, int(port))):
            return False
        with context.wrap_socket(connection):
            return True


def trusting(ca: Authority, client: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca.certificate)
    if client:
        context.load_cert_chain(client.certificate, client.key)
    return context


def ask(
    server: Server, context: ssl.SSLContext, method: str = "GET", target: str = "/v2/", body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPSConnection(server.host, timeout=30, context=context)
    with closing(connection):
        connection.request(method, target, body or None)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def test_a_registry_speaks_https(secure: Secure, ca: Authority) -> None:
    server = secure()
    context = trusting(ca)
    status, headers, _ = ask(server, context, "POST", "/v2/a/blobs/uploads/")
    location = headers["location"]
    assert (status, location[: len(f"https://{server.host}/v2/")]) == (202, f"https://{server.host}/v2/")
    target = with_query(location.removeprefix(f"https://{server.host}"), digest=digest_of(b"content"))
    status, headers, _ = ask(server, context, "PUT", target, b"content")
    assert (status, headers["location"][:8]) == (201, "https://")
    path = headers["location"].removeprefix(f"https://{server.host}")
    assert ask(server, context, "GET", path)[2] == b"content"
    assert f"listens on https://{server.host}/v2/" in server.log_tail()


def test_plain_http_gets_nothing_from_it(secure: Secure) -> None:
    server = secure()
    address, port = server.host.split(":")
    with socket.create_connection((address, int(port)), timeout=30) as connection:
        connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP/1.1 200" not in connection.recv(1000)


@pytest.mark.parametrize(
    ("minimum", "version", "taken"),
    [
        ({}, ssl.TLSVersion.TLSv1_1, False),
        ({}, ssl.TLSVersion.TLSv1_2, True),
        ({}, ssl.TLSVersion.TLSv1_3, True),
        ({"minimumtls": "tls1.3"}, ssl.TLSVersion.TLSv1_2, False),
        ({"minimumtls": "tls1.3"}, ssl.TLSVersion.TLSv1_3, True),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_a_version_below_the_minimum_is_refused(
    secure: Secure, ca: Authority, minimum: dict[str, str], version: ssl.TLSVersion, taken: bool
) -> None:
    server = secure(**minimum)
    context = trusting(ca)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # else this client would refuse the oldest by itself
    context.minimum_version = context.maximum_version = version
    if taken:
        assert ask(server, context)[0] == 200
    else:
        with pytest.raises(REFUSED):
            ask(server, context)


def test_with_clientcas_only_clients_with_a_certificate_of_theirs_come_in(
    secure: Secure, ca: Authority, tmp_path: Path
) -> None:
    clients, strangers = authority(tmp_path, "clients"), authority(tmp_path, "strangers")
    server = secure(clientcas=[str(clients.certificate)])
    assert ask(server, trusting(ca, clients.issue("client")))[0] == 200
    for refused in (None, strangers.issue("stranger"), ca.issue("of-the-server")):
        with pytest.raises(REFUSED):
            ask(server, trusting(ca, refused))


def test_a_file_of_clientcas_may_have_several_authorities(secure: Secure, ca: Authority, tmp_path: Path) -> None:
    some, others = authority(tmp_path, "some"), authority(tmp_path, "others")
    both = tmp_path / "both.pem"
    both.write_bytes(some.certificate.read_bytes() + others.certificate.read_bytes())
    server = secure(clientcas=[str(both)])
    for each in (some, others):
        assert ask(server, trusting(ca, each.issue("client")))[0] == 200


# ── files that cannot be used ─────────────────────────────────────────────────────────────────


def documented(port: int, **tls: Any) -> dict[str, Any]:
    return {"version": 0.1, "storage": "inmemory", "http": {"addr": f"127.0.0.1:{port}", "tls": tls}}


GARBAGE = {
    "empty": b"",
    "not PEM": b"\x00\xff no certificate",
    "broken PEM": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("key", ["certificate", "key", "clientcas"])
def test_a_file_without_what_it_should_have_is_one_line(
    tmp_path: Path, ca: Authority, pair: Pair, key: str, garbage: bytes
) -> None:
    files: dict[str, Any] = {"certificate": str(pair.certificate), "key": str(pair.key)}
    bad = tmp_path / "bad.pem"
    bad.write_bytes(garbage)
    files[key] = [str(bad)] if key == "clientcas" else str(bad)
    line = refusal(tmp_path, documented(free_port(), **files))
    what = "private key" if key == "key" else "certificate"
    assert line.startswith(f"http.tls.{key}: {str(bad)!r} has no {what}; allowed: a PEM file")


@pytest.mark.parametrize("key", ["certificate", "key", "clientcas"])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, pair: Pair, key: str) -> None:
    for path, reason in ((tmp_path / "absent.pem", "No such file or directory"), (tmp_path, "Is a directory")):
        files: dict[str, Any] = {"certificate": str(pair.certificate), "key": str(pair.key)}
        files[key] = [str(path)] if key == "clientcas" else str(path)
        line = refusal(tmp_path, documented(free_port(), **files))
        assert line == f"http.tls.{key}: cannot read {str(path)!r}: {reason}"


@pytest.mark.parametrize(
    "other",
    [
        ec.generate_private_key(ec.SECP256R1()),
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["of its kind", "RSA", "Ed25519"],
)
def test_the_key_of_another_certificate_is_one_line(tmp_path: Path, pair: Pair, other: Any) -> None:
    key = tmp_path / "other.key"
    encodings = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key.write_bytes(other.private_bytes(*encodings))
    line = refusal(tmp_path, documented(free_port(), certificate=str(pair.certificate), key=str(key)))
    assert line.startswith(f"http.tls.key: {str(key)!r} is not the key of the certificate; allowed: ")


def test_an_encrypted_key_is_one_line_and_nobody_is_asked_for_a_password(tmp_path: Path) -> None:
    pair = authority(tmp_path).issue("server", password=b"secret")
    line = refusal(tmp_path, documented(free_port(), certificate=str(pair.certificate), key=str(pair.key)))
    assert line.startswith("http.tls.key: the key is encrypted; allowed: ")
