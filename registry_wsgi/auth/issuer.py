"""The controller `issuer`: the registry is its own token server, so that `docker login` needs no second one.

    client ── GET /v2/… ───────────────► 401, Bearer realm="…/auth/token"
           ── GET /auth/token, Basic ──► another controller says who it is, and what of the scopes they may
           ── GET /v2/…, Bearer ───────► the token says it

Docker's "Token Authentication Specification" and "Oauth2 Token Authentication". A layer answers at the two paths.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from joserfc import jwt

from registry_wsgi.auth.challenge import bearer_challenge
from registry_wsgi.auth.needed import CATALOG
from registry_wsgi.auth.scopes import asked, granted
from registry_wsgi.auth.signing import ALGORITHM, SigningKeys
from registry_wsgi.auth.token import host_of
from registry_wsgi.auth.tokens import LEEWAY, BearerGate, TokenVerifier
from registry_wsgi.errors import ConfigurationError, Denied, Unauthorized
from registry_wsgi.interfaces import Access, AccessController, Grant, Recalling, TokenRequest
from registry_wsgi.routes import Resource, parse_route

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.context import Context

_DAY = 24 * 3600
_ROTATION = 30 * _DAY


class IssuerController:
    """Issues tokens for `service` to whom `users`, another controller, knows, and grants what they list.

    `keys` is a directory; times are seconds. `path` is where clients ask, below the script name, and the key set is
    beside it; `realm` is the whole URL, if the one that a request came by is not the one to use. Refresh tokens are
    given only where `users` can be asked about somebody without credentials. Raises ConfigurationError.
    """

    def __init__(
        self,
        *,
        service: str,
        keys: str,
        users: AccessController,
        issuer: str = "registry-wsgi",
        realm: str = "",
        path: str = "/auth/token",
        expiration: int = 300,
        refreshexpiration: int = 30 * _DAY,
    ) -> None:
        if not service or not issuer:
            raise ConfigurationError("service and issuer must be text that is not empty")
        if expiration < 60 or refreshexpiration < expiration:
            raise ConfigurationError("expiration: must be 60 or more, and refreshexpiration no less than it")
        if not path.startswith("/") or path.endswith("/") or parse_route(path).resource is not Resource.NONE:
            raise ConfigurationError("path: must begin with a slash, end without one and be none of the registry's own")
        self.token_path = path
        self.keys_path = f"{path.rpartition('/')[0]}/jwks.json"
        self._service, self._issuer, self._realm = service, issuer, realm
        self._users = users
        self._expiration, self._refresh_expiration = expiration, refreshexpiration
        self._keys = SigningKeys(keys, signs=_ROTATION, known=refreshexpiration + LEEWAY, clock=_now)
        self._refresh_audience = f"{service} refresh"  # so that neither kind of token does for the other
        self._refresh = self._verifier(self._refresh_audience)
        self._gate = BearerGate(self._verifier(service), service=service, realm=self._realm_of)

    def authorize(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
        grant = self._gate.claims(ctx, environ, access).grant
        # A token lists what a client asked for; the catalog has what its user may, whatever that is.
        if CATALOG in access and isinstance(self._users, Recalling):
            recalled = self._users.recall(ctx, grant.user)
            return replace(grant, may=recalled[0].may) if recalled else grant
        return grant

    def issue(self, ctx: Context, environ: WSGIEnvironment, request: TokenRequest) -> Mapping[str, object]:
        wanted = asked(request.scopes)
        if request.refresh_token:
            grant = self._refreshed(ctx, environ, request.refresh_token)
        else:
            grant = self._known(ctx, environ, wanted)
        ctx.user, ctx.rule = grant.user, grant.rule
        now = int(_now())
        access = granted(wanted, grant.may)
        groups = {"groups": list(grant.groups)} if grant.groups else {}
        token = self._signed(now, self._expiration, self._service, sub=grant.user, access=access, **groups)
        answer = {
            "token": token,
            "access_token": token,
            "expires_in": self._expiration,
            "issued_at": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if request.refresh_token:
            answer["refresh_token"] = request.refresh_token
        elif request.offline and (refresh_token := self._refresh_token(ctx, now, grant.user)):
            answer["refresh_token"] = refresh_token
        ctx.info("a token was issued", **{"auth.access": access, "auth.rule": grant.rule})
        return answer

    def key_set(self, ctx: Context) -> Mapping[str, object]:  # noqa: ARG002
        return {"keys": self._keys.public()}

    def _known(self, ctx: Context, environ: WSGIEnvironment, wanted: Iterable[Access]) -> Grant:
        """Return who has the credentials of the request; without any, who may do something of what is asked."""
        try:
            return self._users.authorize(ctx, environ, ())
        except Unauthorized:
            if environ.get("HTTP_AUTHORIZATION"):
                raise
            for access in wanted:
                with suppress(Unauthorized, Denied):
                    return self._users.authorize(ctx, environ, (access,))
            raise

    def _refresh_token(self, ctx: Context, now: int, user: str) -> str:
        recalled = self._users.recall(ctx, user) if user and isinstance(self._users, Recalling) else None
        if recalled is None:
            return ""
        return self._signed(now, self._refresh_expiration, self._refresh_audience, sub=user, mark=recalled[1])

    def _refreshed(self, ctx: Context, environ: WSGIEnvironment, token: str) -> Grant:
        """Return what the user of a refresh token may now, if their credentials are still those that it was for."""
        try:
            claims = self._refresh.verify(ctx, token)
        except ValueError as error:
            ctx.info("a refresh token was refused", **{"auth.error": str(error)[:500]})
        else:
            recalled = self._users.recall(ctx, claims.grant.user) if isinstance(self._users, Recalling) else None
            if recalled is not None and recalled[1] == claims.all.get("mark"):
                return recalled[0]
        raise bearer_challenge(self._realm_of(environ), self._service, (), "invalid_token")

    def _signed(self, now: int, seconds: int, audience: str, **claims: Any) -> str:
        key = self._keys.current()
        times = {"exp": now + seconds, "nbf": now, "iat": now}
        # The audience is text, for registry:2 takes no list.
        said = {"iss": self._issuer, "aud": audience, **times, "jti": secrets.token_urlsafe(16), **claims}
        return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, said, key.key, algorithms=[ALGORITHM])

    def _verifier(self, audience: str) -> TokenVerifier:
        return TokenVerifier(
            self._keys, issuers=[self._issuer], audiences=[audience], algorithms=[ALGORITHM], clock=_now
        )

    def _realm_of(self, environ: WSGIEnvironment) -> str:
        scheme, root = environ["wsgi.url_scheme"], environ.get("SCRIPT_NAME", "")
        return self._realm or f"{scheme}://{host_of(environ)}{root}{self.token_path}"


def _now() -> float:
    return time.time()
