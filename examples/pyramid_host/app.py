"""A Pyramid site with a registry under /v2/, for the site's own API tokens: `gunicorn app:application`."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

import registry_wsgi
from registry_wsgi.auth.challenge import basic_challenge, basic_credentials
from registry_wsgi.errors import Denied
from registry_wsgi.interfaces import Access, Grant

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# The site's own, as it was before the registry came: users have API tokens, of which a hash is kept.


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


TOKENS = {hashed(token): name for name, token in [each.split(":") for each in os.environ.get("SITE_USERS", "").split()]}


class Security:
    """The site's security policy: a token as `Authorization: Token …`, or as the password of its user."""

    def identity(self, request: Request) -> str | None:
        scheme, _, token = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() == "token":
            return TOKENS.get(hashed(token))
        name, password = basic_credentials(request.environ) or ("", "")
        return name if name and TOKENS.get(hashed(password)) == name else None

    def authenticated_userid(self, request: Request) -> str | None:
        return self.identity(request)


def index(request: Request) -> Response:
    return Response(f"<h1>Our site</h1>\n<p>{request.authenticated_userid or 'nobody'}</p>\n")


with Configurator() as config:
    config.set_security_policy(Security())
    config.add_route("index", "/")
    config.add_view(index, route_name="index")
    site = config.make_wsgi_app()

# The registry: anybody may pull from public/, and whoever has a token may do what they like below their own name.


def authorize(environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
    user = Security().identity(Request(environ))

    def may(wanted: Access) -> bool:
        public = wanted.action == "pull" and wanted.name.startswith("public/")
        return public or (user is not None and wanted.name.startswith(f"{user}/"))

    if user is None and not (access and all(map(may, access))):
        raise basic_challenge("our site", access)
    if not all(map(may, access)):
        raise Denied(f"{user} may push below {user}/", user=user or "")
    return Grant(user or "", may)


REGISTRY = {"storage": {"filesystem": {"rootdirectory": os.environ.get("SITE_DATA", "data")}}}
application = registry_wsgi.mount(site, REGISTRY, access=authorize)
