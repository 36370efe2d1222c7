"""Bearer tokens of registries, verified, and what they say (RFC 7519, Docker's "Token Authentication")."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from registry_wsgi.auth.challenge import bearer_challenge, bearer_token
from registry_wsgi.auth.remembering import Remembered
from registry_wsgi.errors import ConfigurationError
from registry_wsgi.interfaces import Access, Grant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from _typeshed.wsgi import WSGIEnvironment
    from joserfc.jwk import GuestProtocol

    from registry_wsgi.auth.jwks import PublicKey
    from registry_wsgi.context import Context

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"),
    *("EdDSA", "Ed25519"),  # one and the same; the second is its name since RFC 9864
)
"""Signatures with a key pair, and no other: whoever could verify HS* could sign, and `none` says nothing."""

LEEWAY = 60
_SCHEME = "Bearer "
_CHECKED_CLAIMS = ("iss", "aud", "exp", "nbf", "sub")  # `iat` and `jti` are not looked at, as in registry:2


class Keys(Protocol):
    def find(self, ctx: Context, header: Mapping[str, Any]) -> PublicKey:
        """Return the trusted key that a token's header names. Raises ValueError."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says: what it grants to whom, until when (seconds since the epoch), and the rest."""

    grant: Grant
    expires: float
    all: Mapping[str, Any]


class TokenVerifier:
    """Verifies tokens of `issuers` for one of `audiences`, and remembers the right ones, by a hash, for minutes.

    `read` tells from a token's verified claims what they say here; it raises ValueError where they do not do.
    """

    def __init__(
        self,
        keys: Keys,
        *,
        issuers: Collection[str],
        audiences: Collection[str],
        algorithms: Collection[str] = ALGORITHMS,
        read: Callable[[Mapping[str, Any]], Claims] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._signatures = _Signatures(algorithms=tuple(algorithms), strict_check_header=False)
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=LEEWAY,
            iss={"essential": True, "values": list(issuers)},
            aud={"essential": True, "values": list(audiences)},
            exp={"essential": True},
            sub={"allow_blank": True},
        )
        self._read = read or _of_registries
        self._remembered: Remembered[Claims] = Remembered(clock)

    def remembered(self, environ: WSGIEnvironment) -> Claims | None:
        """Return what the request's token says if that was verified a while ago: such a one is well-formed, too.

        Of a scheme that is not written as all write it nothing is known here.
        """
        header = environ.get("HTTP_AUTHORIZATION", "")
        return self._remembered.get(header[len(_SCHEME) :]) if header.startswith(_SCHEME) else None

    def verify(self, ctx: Context, token: str) -> Claims:
        """Return what the token says. Raises ValueError, which says what is wrong with it."""
        claims = self._remembered.get(token)
        if claims is None:
            claims = self._verified(ctx, token)
            self._remembered.put(token, claims, until=claims.expires + LEEWAY)
        return claims

    def _verified(self, ctx: Context, token: str) -> Claims:
        def key(signed: GuestProtocol) -> PublicKey:
            header = signed.headers()
            if "crit" in header:  # RFC 7515 §4.1.11: whoever knows none of the extensions refuses
                raise ValueError("the token has critical extensions")
            return self._keys.find(ctx, header)

        try:
            said = jwt.decode(token, key, registry=self._signatures).claims
            self._claims.validate({name: said[name] for name in _CHECKED_CLAIMS if name in said})
        except (JoseError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            # A header may be any JSON, and what the library makes of a strange one is not always its own error.
            raise ValueError(f"{type(error).__name__}: {error}") from None
        return self._read(said)


class BearerGate:
    """Asks for a bearer token of `verifier`, and sends whoever has none to the server at `realm`."""

    def __init__(self, verifier: TokenVerifier, *, service: str, realm: Callable[[WSGIEnvironment], str]) -> None:
        self._verifier = verifier
        self._service = service
        self._realm = realm

    def claims(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Claims:
        """Return the claims of a token that grants all of `access`. Raises Unauthorized, whatever is missing."""
        claims = self._verifier.remembered(environ) or self._verified(ctx, environ, access)
        for each in access:
            if not claims.grant.may(each):
                ctx.user, ctx.rule = claims.grant.user, "token: what the token does not list"
                raise bearer_challenge(self._realm(environ), self._service, access, "insufficient_scope")
        return claims

    def _verified(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Claims:
        token = bearer_token(environ)
        if token is None:
            raise bearer_challenge(self._realm(environ), self._service, access)
        try:
            return self._verifier.verify(ctx, token)
        except ValueError as error:
            ctx.rule = "token: not valid here"
            ctx.info("a bearer token was refused", **{"auth.error": str(error)[:500]})
            raise bearer_challenge(self._realm(environ), self._service, access, "invalid_token") from None


class _Signatures(JWSRegistry):
    """The library's table of algorithms, with room for certificates in the header and only ours allowed."""

    max_header_length = 32 * 1024

    def get_alg(self, name: str) -> Any:
        # The library's own would warn of EdDSA, once RFC 9864 named it anew; it is what token servers send.
        if not isinstance(name, str) or name not in (self.allowed or ()):
            raise ValueError(f"the algorithm {str(name)[:40]!r} is not allowed")
        return self.algorithms[name]


def allowed_algorithms(configured: Sequence[str] | None) -> Sequence[str]:
    """Return the algorithms of a key `signingalgorithms`, all where it is absent. Raises ConfigurationError."""
    if configured is None:
        return ALGORITHMS
    if not isinstance(configured, list) or not configured:
        raise ConfigurationError(f"signingalgorithms: must be a list; allowed: {', '.join(ALGORITHMS)}")
    for name in configured:
        if name not in ALGORITHMS:
            raise ConfigurationError(
                f"signingalgorithms: {str(name)[:40]!r} is not allowed, for only a key pair tells who signed"
                f"; allowed: {', '.join(ALGORITHMS)}"
            )
    return configured


def _of_registries(said: Mapping[str, Any]) -> Claims:
    """Return what a token says that a registry's token server made (Docker's "Token Authentication Implementation")."""
    granted = _granted(said.get("access"))

    def may(access: Access) -> bool:
        return access in granted or access._replace(action="*") in granted  # `*` stands for every action

    grant = Grant(said.get("sub") or "", may, texts(said.get("groups")), "token: what the token lists")
    return Claims(grant, float(said["exp"]), said)


def texts(claim: object) -> tuple[str, ...]:
    """Return what a claim lists; what is no list of text lists nothing."""
    listed = claim if isinstance(claim, list) else ()
    return tuple(each for each in listed if isinstance(each, str) and each)


def _granted(access: object) -> frozenset[Access]:
    """Return what the claim `access` lists; what is not of its form grants nothing."""
    granted = set()
    for entry in access if isinstance(access, list) else ():
        if not isinstance(entry, dict):
            continue
        type_, name, actions = entry.get("type"), entry.get("name"), entry.get("actions")
        if isinstance(type_, str) and isinstance(name, str) and isinstance(actions, list):
            granted |= {Access(type_, name, action) for action in actions if isinstance(action, str)}
    return frozenset(granted)
