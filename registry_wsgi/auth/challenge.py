"""The credentials in a request and the challenges in answers (RFC 9110 §11, RFC 7617, RFC 6750)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from registry_wsgi.errors import Unauthorized

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import WSGIEnvironment

    from registry_wsgi.interfaces import Access

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 §2.1
_LONGEST_TOKEN = 64 * 1024
_UNQUOTABLE = re.compile(r"[^ -~\xa0-\xff]")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})


def basic_credentials(environ: WSGIEnvironment) -> tuple[str, str] | None:
    """Return user and password of a Basic header, None where there is none or it is malformed.

    A NUL or text that is no UTF-8 is malformed: no password file can mean it.
    """
    scheme, _, encoded = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon and "\0" not in user + password else None


def bearer_token(environ: WSGIEnvironment) -> str | None:
    """Return the token of a Bearer header, empty where it is malformed, None where there is no such header.

    A token has no blank and no comma in it, so that two headers, which servers join, are never taken for one.
    """
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    return token if len(token) <= _LONGEST_TOKEN and _TOKEN.fullmatch(token) else ""


def basic_challenge(realm: str, access: Iterable[Access] = ()) -> Unauthorized:
    """Return the error that asks for a user and a password."""
    header = f'Basic realm="{_quotable(realm)}"'
    return Unauthorized(detail_of(access), headers={"WWW-Authenticate": header})


def bearer_challenge(
    realm: str, service: str, access: Iterable[Access] = (), error: str = "", *, scope: str = ""
) -> Unauthorized:
    """Return the error that sends a client to the token server, with the scope that it has to ask for.

    `scope` is what to ask for, if it is not the usual form of `access`.
    """
    parts = [f'realm="{_quotable(realm)}"', f'service="{_quotable(service)}"']
    wanted = tuple(access)
    if wanted:
        parts.append(f'scope="{_quotable(scope or scope_of(wanted))}"')
    if error:
        parts.append(f'error="{error}"')
    return Unauthorized(detail_of(wanted), headers={"WWW-Authenticate": "Bearer " + ",".join(parts)})


def bearer_refusal(realm: str, access: Iterable[Access], error: str) -> Unauthorized:
    """Return the error that says what is wrong with a token where there is no server to get another (RFC 6750 §3)."""
    header = f'Bearer realm="{_quotable(realm)}",error="{error}"'
    return Unauthorized(detail_of(access), headers={"WWW-Authenticate": header})


def scope_of(access: Iterable[Access]) -> str:
    """Return `access` as a scope: actions on one resource joined by commas, resources by blanks, in their order."""
    actions: dict[tuple[str, str], list[str]] = {}
    for each in access:
        actions.setdefault((each.type, each.name), []).append(each.action)
    return " ".join(f"{type_}:{name}:{','.join(dict.fromkeys(words))}" for (type_, name), words in actions.items())


def detail_of(access: Iterable[Access]) -> list[dict[str, str]] | None:
    """Return what was asked for as Docker's registry tells it, with the same capitals."""
    listed = [{"Type": each.type, "Class": "", "Name": each.name, "Action": each.action} for each in access]
    return listed or None


def _quotable(text: str) -> str:
    """Return `text` as it may stand between double quotes (RFC 9110 §5.6.4): in a scope are a client's words."""
    return _UNQUOTABLE.sub("", text).translate(_ESCAPES)
