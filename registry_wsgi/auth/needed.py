"""What access a request needs, told from its route, method and query alone (Docker's token specification, "scope")."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from registry_wsgi.interfaces import Access
from registry_wsgi.reference import NAME_LENGTH
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
_CATALOG = (CATALOG,)
_MOST_USUAL = 3  # a push of a blob that is mounted from another repository


def needed(route: Route, method: str, query: str) -> tuple[Access, ...]:
    """Return the access that a request needs, none for `/v2/` itself, which any valid credentials may ask.

    A mount reads from the repository that `from` names, so that needs pulling there. Cancelling an upload
    takes back a push, and needs no more than one.
    """
    if not route.name:
        return _CATALOG if route.resource is Resource.CATALOG else ()
    actions = _ACTIONS.get(method, ())
    if route.resource is Resource.UPLOAD and method == "DELETE":
        actions = ("pull", "push")
    access = (_remembered if len(route.name) <= NAME_LENGTH else _of)(route.name, actions)
    # Whoever mounts may write the word otherwise, as `%66rom`.
    if "from" in query or "%" in query:
        return (*access, *(Access("repository", name, "pull") for name in _sources(query)))
    return access


def anything(_: Access) -> bool:
    """Allow it, as `may` of a Grant."""
    return True


def is_usual(access: tuple[Access, ...]) -> bool:
    """Tell whether a client as it should be could need this: what else one makes up is not worth being remembered."""
    if len(access) > _MOST_USUAL:
        return False
    for each in access:  # noqa: SIM110 - `all` takes a generator, and 0.6 µs more
        if len(each.name) > NAME_LENGTH:
            return False
    return True


def _of(name: str, actions: tuple[str, ...]) -> tuple[Access, ...]:
    return tuple(Access("repository", name, action) for action in actions)


_remembered = lru_cache(4096)(_of)


def _sources(query: str) -> list[str]:
    return parse_qs(query, max_num_fields=None).get("from", [])
