"""The scopes that are asked of a token server: `repository:a/b:pull,push` (Docker's "Token Scope Documentation")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.auth.needed import CATALOG
from registry_wsgi.errors import NameInvalid
from registry_wsgi.interfaces import Access
from registry_wsgi.reference import check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ACTIONS = ("pull", "push", "delete")
_MOST = 200


def asked(scopes: Iterable[str]) -> list[Access]:
    """Return what well-formed scopes ask for, in order and once each, as far as any client needs it.

    Others are passed over, and so grant nothing.
    """
    found: dict[Access, None] = {}
    for scope in " ".join(scopes).split(" ")[:_MOST]:
        found.update(dict.fromkeys(_parsed(scope)))
    return list(found)


def granted(wanted: Iterable[Access], may: Callable[[Access], bool]) -> list[dict[str, object]]:
    """Return the claim `access` of those that `may` allows, an entry for each resource.

    `*` on a repository asks for every action, and gets those that are allowed: nobody who decides is asked about `*`,
    which a careless one might take for harmless.
    """
    actions: dict[tuple[str, str], dict[str, None]] = {}
    for access in wanted:
        every = access.action == "*" and access.type == "repository"
        choices = [access._replace(action=action) for action in _ACTIONS] if every else [access]
        allowed = {each.action: None for each in choices if may(each)}
        if allowed:
            actions.setdefault((access.type, access.name), {}).update(allowed)
    return [{"type": type_, "name": name, "actions": list(words)} for (type_, name), words in actions.items()]


def _parsed(scope: str) -> list[Access]:
    type_, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    words = actions.split(",")
    if type_ == CATALOG.type:
        return [CATALOG] if name == CATALOG.name and CATALOG.action in words else []
    if type_ != "repository":
        return []
    try:
        check_name(name)
    except NameInvalid:
        return []
    return [Access(type_, name, word) for word in words if word in (*_ACTIONS, "*")]
