"""The controller `either`: people with passwords and workloads with identity tokens, at one registry.

The form of the credentials alone decides whom they are shown to, and what that one says is the answer: what is
refused there is never tried elsewhere.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from registry_wsgi.auth.challenge import basic_challenge, basic_credentials, bearer_refusal, bearer_token
from registry_wsgi.errors import ConfigurationError
from registry_wsgi.interfaces import Recalling, TokenIssuer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import Access, AccessController, Grant

_HEADER = 16 * 1024


class EitherController:
    """Asks `tokens` about a bearer token and about a password that has the form of one, and `passwords` about all else.

    So clients without credentials get the challenge of `passwords`. A token whose user has the name of somebody who
    has a password is refused: rules and refresh tokens go by the name, and a token must not become that person. So
    `passwords` has to know its users. Raises ConfigurationError.
    """

    def __init__(self, *, tokens: AccessController, passwords: AccessController, realm: str = "registry") -> None:
        for key, controller in (("tokens", tokens), ("passwords", passwords)):
            if isinstance(controller, TokenIssuer):
                raise ConfigurationError(f"{key}: an issuer asks this controller, not the other way round")
        if not isinstance(passwords, Recalling):
            raise ConfigurationError("passwords: must be a controller that knows its users, such as htpasswd")
        self._tokens = tokens
        self._passwords = passwords
        self._recall = passwords.recall
        self._realm = realm

    def authorize(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
        if not _is_token(environ):
            return self._passwords.authorize(ctx, environ, access)
        grant = self._tokens.authorize(ctx, environ, access)
        if not grant.user or self._recall(ctx, grant.user) is not None:
            ctx.rule = "either: a token with the name of somebody who has a password"
            if bearer_token(environ) is None:
                raise basic_challenge(self._realm, access)
            raise bearer_refusal(self._realm, access, "invalid_token")
        return grant

    def recall(self, ctx: Context, user: str) -> tuple[Grant, str] | None:
        """Return what a user with a password may; a token's end is its end."""
        return self._recall(ctx, user)


def _is_token(environ: WSGIEnvironment) -> bool:
    if bearer_token(environ) is not None:
        return True
    credentials = basic_credentials(environ)
    return credentials is not None and _has_its_form(credentials[1])


def _has_its_form(password: str) -> bool:
    """Tell whether it is a JWS in its compact form (RFC 7515 §7.1): three parts, the first of them a header."""
    header, *rest = password.split(".", 3)
    if len(rest) != 2 or len(header) > _HEADER:
        return False
    try:
        return "alg" in json.loads(base64.b64decode(header + "==", altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError):
        return False
