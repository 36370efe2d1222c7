"""What access a request needs, told from its route, method and query alone (Docker's token specification, "scope")."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from registry_wsgi.interfaces import Access
from registry_wsgi.routes import Resource

if TYPE_CHECKING:
    from registry_wsgi.routes import Route

_ACTIONS = {
    "GET": ("pull",),
    "HEAD": ("pull",),
    "POST": ("pull", "push"),
    "PUT": ("pull", "push"),
    "PATCH": ("pull", "push"),
    "DELETE": ("delete",),
}
CATALOG = Access("registry", "catalog", "*")


def needed(route: Route, method: str, query: str) -> tuple[Access, ...]:
    """Return the access that a request needs, none for `/v2/` itself, which any valid credentials may ask.

    A mount reads from the repository that `from` names, so that needs pulling there. Cancelling an upload
    takes back a push, and needs no more than one.
    """
    if route.resource is Resource.CATALOG:
        return (CATALOG,)
    if not route.name:
        return ()
    actions = _ACTIONS.get(method, ())
    if route.resource is Resource.UPLOAD and method == "DELETE":
        actions = ("pull", "push")
    access = tuple(Access("repository", route.name, action) for action in actions)
    return (*access, *(Access("repository", name, "pull") for name in _sources(query)))


def _sources(query: str) -> list[str]:
    return parse_qs(query, max_num_fields=None).get("from", []) if "from" in query else []
