"""Keys that sign manifests of schema 1: EC on P-256, P-384 and P-521, and RSA (RFC 7518 §3.3, §3.4).

Needs the package `cryptography`, and so is imported only where compatibility.schema1 is enabled.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509 import InvalidVersion, load_der_x509_certificate

from registry_wsgi.keys import fingerprint
from registry_wsgi.manifests.jws import decode, encode

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class _Curve:
    """A curve by its name in a JWK, with the one algorithm and hash that go with it."""

    name: str
    curve: ec.EllipticCurve
    algorithm: str
    hash: hashes.HashAlgorithm

    @property
    def length(self) -> int:
        """Bytes of a coordinate, and of half a signature."""
        return (self.curve.key_size + 7) // 8


_CURVES = {
    each.curve.name: each
    for each in (
        _Curve("P-256", ec.SECP256R1(), "ES256", hashes.SHA256()),
        _Curve("P-384", ec.SECP384R1(), "ES384", hashes.SHA384()),
        _Curve("P-521", ec.SECP521R1(), "ES512", hashes.SHA512()),
    )
}
_BY_JWK_NAME = {each.name: each for each in _CURVES.values()}
_RSA: dict[str, hashes.HashAlgorithm] = {
    "RS256": hashes.SHA256(),
    "RS384": hashes.SHA384(),
    "RS512": hashes.SHA512(),
}
_LONGEST = 1400
"""Letters of the longest number of the keys above: so many are looked at, and no more."""
_RSA_BITS = range(1024, 8193)
"""What is shorter is broken, what is longer takes seconds to verify."""


def generate() -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def load(content: bytes) -> PrivateKey:
    """Return the private key in PEM or JWK. Raises ValueError."""
    if content.lstrip().startswith(b"{"):
        return _private_from_jwk(json.loads(content))
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from None
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise ValueError("it is neither an EC nor an RSA key")
    _check(key.public_key())
    return key


def from_header(header: dict[str, Any]) -> PublicKey:
    """Return the key that a signature's header names: that of its first certificate, or its `jwk`. Raises ValueError.

    Who issued a certificate is not asked: any key may sign, and a client trusts those that it knows.
    """
    if header.get("x5c"):
        if not isinstance(header["x5c"], list) or not isinstance(header["x5c"][0], str):
            raise ValueError("x5c is no list of certificates")
        return _certified(base64.b64decode(header["x5c"][0], validate=True))
    if not isinstance(header.get("jwk"), dict):
        raise ValueError("it names no key")
    return _check(_public_from_jwk(header["jwk"]))


def verify(key: PublicKey, algorithm: object, signature: bytes, content: bytes) -> None:
    """Raise ValueError unless `signature` is one of `content` by `key`, made with the key's own `algorithm`."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            if not isinstance(algorithm, str) or algorithm not in _RSA:
                raise ValueError(f"an RSA key does not sign with {str(algorithm)[:40]!r}")
            key.verify(signature, content, padding.PKCS1v15(), _RSA[algorithm])
            return
        curve = _CURVES[key.curve.name]
        if algorithm != curve.algorithm:
            raise ValueError(f"a key on {curve.name} does not sign with {str(algorithm)[:40]!r}")
        if len(signature) != 2 * curve.length:
            raise ValueError(f"a signature on {curve.name} has {2 * curve.length} bytes, and not {len(signature)}")
        r, s = (int.from_bytes(half) for half in (signature[: curve.length], signature[curve.length :]))
        key.verify(encode_dss_signature(r, s), content, ec.ECDSA(curve.hash))
    except InvalidSignature:
        raise ValueError("it does not verify") from None


def sign(key: PrivateKey, content: bytes) -> tuple[str, bytes]:
    """Return the algorithm and the signature. The same content has the same signature where the library can."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256", key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    curve = _CURVES[key.curve.name]
    try:
        der = key.sign(content, ec.ECDSA(curve.hash, deterministic_signing=True))
    except UnsupportedAlgorithm:
        der = key.sign(content, ec.ECDSA(curve.hash))
    r, s = decode_dss_signature(der)
    return curve.algorithm, r.to_bytes(curve.length) + s.to_bytes(curve.length)


def to_jwk(key: PublicKey) -> dict[str, str]:
    """Return the key as a JWK (RFC 7517) with its fingerprint as `kid`."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"e": _number(numbers.e), "kid": fingerprint(key), "kty": "RSA", "n": _number(numbers.n)}
    curve, point = _CURVES[key.curve.name], key.public_numbers()
    x, y = (encode(coordinate.to_bytes(curve.length)) for coordinate in (point.x, point.y))
    return {"crv": curve.name, "kid": fingerprint(key), "kty": "EC", "x": x, "y": y}


def _certified(certificate: bytes) -> PublicKey:
    try:
        key = load_der_x509_certificate(certificate).public_key()
    except (InvalidVersion, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from None
    if not isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
        raise ValueError("the certificate's key is neither an EC nor an RSA key")
    return _check(key)


def _public_from_jwk(jwk: dict[str, Any]) -> PublicKey:
    key: PublicKey
    if jwk.get("kty") == "EC":
        key = _point(jwk).public_key()
    elif jwk.get("kty") == "RSA":
        key = rsa.RSAPublicNumbers(_integer(jwk, "e"), _integer(jwk, "n")).public_key()
    else:
        raise ValueError(f"keys of the type {str(jwk.get('kty'))[:40]!r} are not supported; allowed are EC and RSA")
    if "kid" in jwk and jwk["kid"] != fingerprint(key):
        raise ValueError("the key's id is not its fingerprint")
    return key


def _private_from_jwk(jwk: dict[str, Any]) -> PrivateKey:
    if jwk.get("kty") == "EC":
        return ec.EllipticCurvePrivateNumbers(_integer(jwk, "d"), _point(jwk)).private_key()
    if jwk.get("kty") != "RSA":
        raise ValueError("it is neither an EC nor an RSA key")
    public, d = rsa.RSAPublicNumbers(_integer(jwk, "e"), _integer(jwk, "n")), _integer(jwk, "d")
    p, q = rsa.rsa_recover_prime_factors(public.n, public.e, d)
    crt = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *crt, public).private_key()


def _point(jwk: dict[str, Any]) -> ec.EllipticCurvePublicNumbers:
    curve = _BY_JWK_NAME.get(str(jwk.get("crv")))
    if curve is None:
        raise ValueError(f"keys on the curve {str(jwk.get('crv'))[:40]!r} are not supported")
    return ec.EllipticCurvePublicNumbers(_integer(jwk, "x"), _integer(jwk, "y"), curve.curve)


def _check(key: PublicKey) -> PublicKey:
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in _RSA_BITS or key.public_numbers().e.bit_length() > 64:
            raise ValueError(f"RSA keys have {_RSA_BITS.start} to {_RSA_BITS.stop - 1} bits here")
    elif key.curve.name not in _CURVES:
        raise ValueError(f"keys on the curve {key.curve.name} are not supported")
    return key


def _integer(jwk: dict[str, Any], member: str) -> int:
    if len(str(jwk.get(member))) > _LONGEST:
        raise ValueError(f"{member} is longer than that of any key that may sign")
    return int.from_bytes(decode(jwk.get(member)))


def _number(value: int) -> str:
    return encode(value.to_bytes((value.bit_length() + 7) // 8))
