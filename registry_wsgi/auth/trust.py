"""The keys that tokens are trusted by, and how the header of a token names one of them (RFC 7515 §4.1)."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from registry_wsgi.auth.jwks import JWKS, PublicKey, checked, public_key
from registry_wsgi.errors import ConfigurationError, why
from registry_wsgi.keys import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.x509.verification import Policy

    from registry_wsgi.context import Context

_LONGEST_CHAIN = 8


class TrustedKeys:
    """The keys of the certificates in `rootcertbundle`, a path of PEM, and those of a key set.

    A certificate's key goes by two ids, libtrust's fingerprint and the thumbprint of RFC 7638: token servers send
    either. A key that was named is trusted by itself, as in registry:2; dates count where a certificate is sent.
    Raises ConfigurationError.
    """

    def __init__(self, *, rootcertbundle: str = "", jwks: str = "") -> None:
        if not (rootcertbundle or jwks):
            raise ConfigurationError("rootcertbundle or jwks is required: whose tokens are to be trusted")
        self._jwks = JWKS(jwks) if jwks else None
        self._roots = _bundle(rootcertbundle) if rootcertbundle else []
        self._keys: dict[str, PublicKey] = {}
        self._trusted: dict[str, PublicKey] = {}
        for certificate in self._roots:
            key = certified(certificate)
            self._keys[fingerprint(key.public_key)] = self._keys[key.thumbprint()] = key
            self._trusted[key.thumbprint()] = key

    def find(self, ctx: Context, header: Mapping[str, Any]) -> PublicKey:
        """Return the key that `x5c`, `jwk` or `kid` names, in this order. Raises ValueError where it is not trusted."""
        if header.get("x5c"):
            return self._of_chain(header["x5c"])
        if header.get("jwk"):
            return self._of_jwk(ctx, header["jwk"])
        kid = header.get("kid")
        if not isinstance(kid, str) or not kid:
            raise ValueError("the token names no key")
        key = self._keys.get(kid) or (self._jwks.find(ctx, kid) if self._jwks else None)
        if key is None:
            raise ValueError(f"the token's key {kid[:80]!r} is not trusted")
        return key

    def _of_jwk(self, ctx: Context, jwk: object) -> PublicKey:
        """Return the trusted key that is this very one: its `kid` proves nothing (CVE-2025-24976)."""
        if not isinstance(jwk, dict):
            raise ValueError("jwk is no key")
        if jwk.get("x5c"):
            certified_key = self._of_chain(jwk["x5c"])
            if certified_key.thumbprint() != public_key(jwk).thumbprint():
                raise ValueError("jwk is another key than its certificate's")
            return certified_key
        thumbprint = public_key(jwk).thumbprint()
        candidates = [self._trusted.get(thumbprint)]
        if self._jwks and candidates == [None]:
            candidates = [self._jwks.find(ctx, kid) for kid in (thumbprint, str(jwk.get("kid")))]
        for key in candidates:
            if key is not None and key.thumbprint() == thumbprint:
                return key
        raise ValueError("jwk is not one of the trusted keys")

    def _of_chain(self, x5c: object) -> PublicKey:
        """Return the key of the first certificate, once the chain leads to one of the bundle, all of them valid now."""
        leaf, *others = _chain(x5c)
        now = datetime.now(UTC)
        if leaf in self._roots:
            if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
                raise ValueError("the certificate is not valid now")
            return certified(leaf)
        if not self._roots:
            raise ValueError("no certificate is trusted: there is no rootcertbundle")
        verifier = (
            PolicyBuilder()
            .store(Store(self._roots))
            .time(now)
            .extension_policies(ca_policy=_AUTHORITY, ee_policy=ExtensionPolicy.permit_all())
            .build_client_verifier()
        )
        try:
            verifier.verify(leaf, others)
        except VerificationError as error:
            raise ValueError(f"the chain of certificates does not lead to a trusted one: {error}") from None
        return certified(leaf)


def certified(certificate: x509.Certificate) -> PublicKey:
    """Return the key of a certificate. Raises ValueError."""
    try:
        key = certificate.public_key()
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    if isinstance(key, ec.EllipticCurvePublicKey):
        return ECKey.import_key(key)
    if isinstance(key, rsa.RSAPublicKey):
        return checked(RSAKey.import_key(key))
    if isinstance(key, ed25519.Ed25519PublicKey):
        return OKPKey.import_key(key)
    raise ValueError("the certificate's key is neither EC nor RSA nor Ed25519")


def _bundle(path: str) -> list[x509.Certificate]:
    try:
        with open(path, "rb") as file:
            certificates = x509.load_pem_x509_certificates(file.read())
        for certificate in certificates:
            certified(certificate)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"rootcertbundle: cannot read the certificates {path}: {why(error)}") from None
    return certificates


def _chain(x5c: object) -> Sequence[x509.Certificate]:
    if not isinstance(x5c, list) or len(x5c) > _LONGEST_CHAIN or not all(map(_is_text, x5c)):
        raise ValueError(f"x5c is no list of one to {_LONGEST_CHAIN} certificates")
    try:
        return [x509.load_der_x509_certificate(base64.b64decode(each, validate=True)) for each in x5c]
    except (binascii.Error, ValueError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        raise ValueError(f"x5c has something that is no certificate: {error}") from None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_authority(_: Policy, __: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    if not constraints.ca:
        raise ValueError("a certificate in the chain is no authority")


def _may_sign_certificates(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("a certificate in the chain may not sign certificates")


# Any extended key usage does, as in registry:2; the profile of the web's public authorities asks for more than
# those that people make for a token server have.
_AUTHORITY = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _is_authority)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign_certificates)
)
