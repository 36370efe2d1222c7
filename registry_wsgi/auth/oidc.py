"""The controller `oidc`: a workload shows the identity token that its platform gave it, and has no password at all.

    CI job ── "who am I?" ──► its platform: an OpenID provider, which signs a token for our audience
           ── docker login, the token as password, or Authorization: Bearer ──► registry
    registry ── /.well-known/openid-configuration, jwks_uri ──► provider, now and then

OpenID Connect Core 1.0 §2 and §3.1.3.7, Discovery 1.0 §4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry_wsgi.auth.challenge import basic_challenge, basic_credentials, bearer_refusal, bearer_token
from registry_wsgi.auth.fetching import decoded, fetch
from registry_wsgi.auth.identity import Required, Template, templates
from registry_wsgi.auth.jwks import JWKS, is_url
from registry_wsgi.auth.needed import anything
from registry_wsgi.auth.tokens import Claims, TokenVerifier, allowed_algorithms
from registry_wsgi.errors import ConfigurationError
from registry_wsgi.interfaces import Grant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.auth.jwks import PublicKey
    from registry_wsgi.context import Context
    from registry_wsgi.errors import Unauthorized
    from registry_wsgi.interfaces import Access

_DISCOVERY = "/.well-known/openid-configuration"
_EVERYTHING = "oidc: any workload with the claims"


class OIDCController:
    """Grants everything to whoever has a token of `issuer` for `audience` with the `claims` that are required.

    `user` and `groups` are templates of claims, for a policy's rules. `jwks` is the path or URL of the provider's
    keys where they are not to be discovered. Anybody can have a token of a public provider, with any audience: so
    `claims` has to be given, and `{}` says that none is required. Raises ConfigurationError; the provider need not
    be there yet.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | list[str],
        claims: Mapping[str, object],
        user: str = "{sub}",
        groups: list[str] | None = None,
        realm: str = "registry",
        jwks: str = "",
        signingalgorithms: list[str] | None = None,
    ) -> None:
        audiences = audience if isinstance(audience, list) else [audience]
        if not is_url(issuer):
            raise ConfigurationError("issuer: must be the URL of an OpenID provider, as its tokens have it in iss")
        if not audiences or not all(isinstance(each, str) and each for each in audiences):
            raise ConfigurationError("audience: must be text that is not empty, or a list of such")
        self._realm = realm
        self._required = Required("claims", claims)
        self._user = Template("user", user)
        self._groups = templates("groups", groups or [])
        self._verifier = TokenVerifier(
            ProviderKeys(JWKS(jwks) if jwks else JWKS(issuer, content=lambda: discovered(issuer))),
            issuers=[issuer],
            audiences=audiences,
            algorithms=allowed_algorithms(signingalgorithms),
            read=self._read,
        )

    def authorize(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
        token, credentials = bearer_token(environ), basic_credentials(environ)
        if token is None and credentials is not None:
            token = credentials[1]
        if not token:
            raise self._refusal(environ, access)
        try:
            return self._verifier.verify(ctx, token).grant
        except ValueError as error:
            ctx.rule = "oidc: no token that will do"
            ctx.info("an identity token was refused", **{"auth.error": str(error)[:500]})
            raise self._refusal(environ, access) from None

    def _refusal(self, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Unauthorized:
        """Return the challenge in the scheme that the client speaks; one without a token is asked for a password."""
        if bearer_token(environ) is None:
            return basic_challenge(self._realm, access)
        return bearer_refusal(self._realm, access, "invalid_token")

    def _read(self, said: Mapping[str, Any]) -> Claims:
        if missing := self._required.missing(said):
            raise ValueError(f"the claim {missing!r} is not as required")
        user = self._user.values(said)
        if len(user) != 1:
            raise ValueError("the claims do not say who it is")
        groups = dict.fromkeys(group for template in self._groups for group in template.values(said))
        return Claims(Grant(user[0], anything, tuple(groups), _EVERYTHING), float(said["exp"]), said)


class ProviderKeys:
    """A provider's keys, found by a token's `kid` alone: what keys a token brings along counts for nothing.

    A token that names none has to be by the only key that its signature can be of.
    """

    def __init__(self, jwks: JWKS) -> None:
        self._jwks = jwks

    def find(self, ctx: Context, header: Mapping[str, Any]) -> PublicKey:
        kid, algorithm = header.get("kid"), str(header.get("alg"))
        if kid is not None and not isinstance(kid, str):
            raise ValueError("the token's kid is no text")
        key = self._jwks.only(ctx, algorithm) if kid is None else self._jwks.find(ctx, kid)
        if key is None:
            raise ValueError(f"the provider has no key {kid or algorithm!r:.80}")
        return key


def discovered(issuer: str) -> bytes:
    """Return the key set of a provider, from where its own document says. Raises OSError, ValueError."""
    document = decoded(fetch(issuer.rstrip("/") + _DISCOVERY))
    if document.get("issuer") != issuer:
        raise ValueError("the provider's document is of another issuer")  # Discovery 1.0 §4.3
    place = document.get("jwks_uri")
    if not isinstance(place, str) or not is_url(place):
        raise ValueError("the provider's document has no jwks_uri")
    if issuer.startswith("https://") and not place.startswith("https://"):
        raise ValueError("the provider's keys are not at an https URL, as it is itself")
    return fetch(place)
