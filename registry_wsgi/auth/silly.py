"""The controller `silly`: whoever sends any Authorization header may do everything. For tests of clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.auth.challenge import bearer_challenge, scope_of
from registry_wsgi.interfaces import Access, Grant

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.context import Context


class SillyController:
    """Grants everything to the user "silly"; `realm` and `service` go into the challenge.

    Its scope has an item for each action, as registry:2's does.
    """

    def __init__(self, *, realm: str, service: str) -> None:
        self._realm = realm
        self._service = service

    def authorize(self, ctx: Context, environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:  # noqa: ARG002
        if not environ.get("HTTP_AUTHORIZATION"):
            raise bearer_challenge(self._realm, self._service, access, scope=" ".join(map(scope_of, zip(access))))
        return Grant("silly", lambda _: True, rule="silly: any Authorization header")
