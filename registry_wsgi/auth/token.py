"""The controller `token`: another server's bearer tokens decide (distribution 2.0 to 3.1, `auth.token`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from registry_wsgi.auth.needed import CATALOG
from registry_wsgi.auth.tokens import BearerGate, TokenVerifier, allowed_algorithms
from registry_wsgi.auth.trust import TrustedKeys
from registry_wsgi.errors import ConfigurationError
from registry_wsgi.interfaces import Access, Grant

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.context import Context

_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+")


class TokenController:
    """Grants what a token of `issuer` for `service` lists, and sends others to the token server at `realm`.

    The token's claim `groups`, if it is a list of text, are the user's groups, for the rules of a policy.

    With `autoredirect` the server is at `autoredirectpath` of the host that the client came to, over https. Raises
    ConfigurationError.
    """

    def __init__(
        self,
        *,
        service: str,
        issuer: str | list[str],
        realm: str = "",
        rootcertbundle: str = "",
        jwks: str = "",
        signingalgorithms: list[str] | None = None,
        autoredirect: bool = False,
        autoredirectpath: str = "/auth/token",
    ) -> None:
        issuers = [issuer] if isinstance(issuer, str) else issuer
        if not service or not isinstance(issuers, list) or not issuers or not all(map(_is_text, issuers)):
            raise ConfigurationError("service and issuer must be text that is not empty; issuer may be a list of such")
        if not (realm or autoredirect):
            raise ConfigurationError("realm: required, but not given; allowed: the URL of the token server")
        if not autoredirectpath.startswith("/"):
            raise ConfigurationError("autoredirectpath: must be a path that begins with a slash")
        verifier = TokenVerifier(
            TrustedKeys(rootcertbundle=rootcertbundle, jwks=jwks),
            issuers=issuers,
            audiences=[service],
            algorithms=allowed_algorithms(signingalgorithms),
        )

        def server(environ: WSGIEnvironment) -> str:
            return f"https://{host_of(environ)}{autoredirectpath}" if autoredirect else realm

        self._gate = BearerGate(verifier, service=service, realm=server)

    def authorize(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
        grant = self._gate.claims(ctx, environ, access).grant
        if CATALOG in access:  # whom the token server gave the catalog, it gave all of it; there is no smaller word
            return Grant(grant.user, lambda _: True, grant.groups, "token: registry:catalog:*")
        return grant


def host_of(environ: WSGIEnvironment) -> str:
    """Return the host that the client named, if it can be one."""
    host = environ.get("HTTP_HOST", "")
    return host if _HOST.fullmatch(host) else f"{environ.get('SERVER_NAME', '')}:{environ.get('SERVER_PORT', '')}"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)
