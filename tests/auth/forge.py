"""A token server's keys, certificates and tokens, right ones and forged ones, for tests."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from registry_wsgi.keys import fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

Key = ECKey | RSAKey | OKPKey

SERVICE, ISSUER = "registry.example.com", "auth.example.com"
PULL_PUSH = [{"type": "repository", "name": "a/b", "actions": ["pull", "push"]}]
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a right token, those given changed and those that are None left out."""
    now = int(time.time())
    said = {"iss": ISSUER, "aud": SERVICE, "sub": "alice", "exp": now + 300, "nbf": now - 5, "iat": now - 5, "jti": "x"}
    return {name: value for name, value in {**said, "access": PULL_PUSH, **changes}.items() if value is not None}


class _Any(jws.JWSRegistry):
    """A forger's: signs with whatever algorithm, and headers of any length."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]

    def check_header(self, header: object) -> None:
        """Take any."""


def token(key: Any, said: object, algorithm: str = "ES256", **header: Any) -> str:
    """Return `said`, signed."""
    registry = _Any(strict_check_header=False)
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    return jws.serialize_compact({"alg": algorithm, "typ": "JWT", **header}, payload, key, registry=registry)


def unsigned(header: dict[str, Any], said: dict[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(said).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def hs256(secret: bytes, said: dict[str, Any], kid: str) -> str:
    """Return a token whose secret is what everybody knows; libraries refuse to make one."""
    text = unsigned({"alg": "HS256", "kid": kid}, said).rstrip(".")
    signature = hmac.digest(secret, text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def bearer(text: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {text}"}


def basic(user: str, password: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def kid_of(key: Key) -> str:
    return fingerprint(key.public_key)


def certificate(
    key: Key,
    name: str = "token server",
    *,
    issuer: tuple[Key, str] | None = None,
    authority: bool = True,
    valid: tuple[datetime.datetime, datetime.datetime] = (NOW - DAY, NOW + DAY),
) -> x509.Certificate:
    """Return a certificate of the key, made by `issuer`, its key and name, or by the key itself."""
    by, by_name = issuer or (key, name)
    algorithm = None if isinstance(by, OKPKey) else hashes.SHA256()
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(by_name))
        .public_key(key.public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(by.private_key, algorithm)  # type: ignore[arg-type]
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def x5c(certificates: Sequence[x509.Certificate]) -> list[str]:
    return [base64.b64encode(each.public_bytes(serialization.Encoding.DER)).decode() for each in certificates]
