"""Registries with users, tokens, rules and TLS: the sections of the configuration, and the files that they name."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LEAST_COST = 4
_DAY = datetime.timedelta(days=1)


def auth_section(
    directory: Path, users: Mapping[str, str], *, token: bool, rules: Sequence[Mapping[str, Any]] | None
) -> dict[str, Any]:
    """Return the section `auth` for `users`, passwords by name: by Basic or by `token`, all or what `rules` allow.

    Raises ConfigurationError where a package is missing.
    """
    try:
        import bcrypt  # noqa: PLC0415 - an extra, and no need of a registry for everyone
    except ImportError as error:
        raise _missing("users", "bcrypt") from error
    file = directory / "htpasswd"
    hashes = {name: bcrypt.hashpw(word.encode(), bcrypt.gensalt(_LEAST_COST)) for name, word in users.items()}
    file.write_text("".join(f"{name}:{hashed.decode()}\n" for name, hashed in hashes.items()))
    section: dict[str, Any] = {"htpasswd": {"realm": "registry", "path": str(file)}}
    if rules is not None:
        section = {"policy": {"users": section, "rules": [dict(rule) for rule in rules]}}
    if token:
        if find_spec("joserfc") is None:
            raise _missing("token", "joserfc")
        keys = directory / "keys"
        keys.mkdir()
        section = {"issuer": {"service": "registry", "keys": str(keys), "users": section}}
    return section


def server_context(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """Return the context of a server with a certificate for 127.0.0.1 and localhost, and the file of its authority.

    Raises ConfigurationError where a package is missing.
    """
    try:
        from cryptography import x509  # noqa: PLC0415
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    except ImportError as error:
        raise _missing("tls", "cryptography") from error

    def certificate(name: str, key: ec.EllipticCurvePrivateKey, issuer: str) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
        )

    root_name, pem = "registry-wsgi test authority", serialization.Encoding.PEM
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = (
        certificate(root_name, root_key, root_name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
    own = (
        certificate("127.0.0.1", key, root_name)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    authority, chain = directory / "ca.pem", directory / "server.pem"
    authority.write_bytes(root.public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(own.public_bytes(pem) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, authority


def _missing(option: str, package: str) -> ConfigurationError:
    return ConfigurationError(
        f"{option}: needs the package {package}, which is not installed; install registry-wsgi[pytest]"
    )
