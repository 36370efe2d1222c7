"""Making answers: JSON, the error envelope, Location and Link.

Nothing here knows Flask, so that layers outside the core answer errors in the same form.
"""

from __future__ import annotations

import json
import logging
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from werkzeug.urls import iri_to_uri
from werkzeug.wsgi import get_host

from registry_wsgi.errors import RegistryError, RegistryErrors, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.context import Context

_MOST_WARNING_BYTES = 4096
_RETRY_SECONDS = 5
_NO_LENGTH = frozenset({204, 304})
"""Statuses of answers whose Content-Length would be that of something else (RFC 9110 §8.6)."""
# json.dumps would make an encoder for each answer, which is a third of the time.
_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode
API_VERSION = ("Docker-Distribution-API-Version", "registry/2.0")


class Answer:
    """What is answered: a status, headers in their order, and a body that reaches the server as it is.

    It is a WSGI application. Of a body that is a list all is there; another may have a `close`, as PEP 3333 has it.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: list[tuple[str, str]], body: Iterable[bytes]) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status_line(self.status), self.headers)
        if environ["REQUEST_METHOD"] != "HEAD":
            return self.body
        if close := getattr(self.body, "close", None):
            close()
        return []


def answer(status: int, headers: Mapping[str, str], body: bytes = b"") -> Answer:
    """Return an answer with a body of known length; a Content-Length among `headers` wins (HEAD)."""
    # Digests and tags are subclasses of str; WSGI wants the very type (PEP 3333, "Unicode Issues").
    given = [(name, str(value)) for name, value in headers.items()]
    if "Content-Length" not in headers and status not in _NO_LENGTH:
        given.append(("Content-Length", str(len(body))))
    return Answer(status, given, [body] if body else [])


def json_answer(document: object, headers: Mapping[str, str] | None = None, status: int = 200) -> Answer:
    # All but ASCII is escaped: annotations may hold half a surrogate pair, which JSON can write and UTF-8 cannot.
    body = json.dumps(document, separators=(",", ":")).encode() + b"\n"
    return answer(status, {"Content-Type": "application/json", **(headers or {})}, body)


def envelope(error: RegistryError | RegistryErrors) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and JSON body of an error; of several, the first one's status and headers."""
    errors = error.errors if isinstance(error, RegistryErrors) else (error,)
    document: dict[str, Any] = {"errors": [each.to_dict() for each in errors]}
    body = _encode(document).encode() + b"\n"
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **errors[0].headers}
    return errors[0].status, headers, body


def refusal(ctx: Context, error: RegistryError | RegistryErrors) -> tuple[int, dict[str, str], bytes]:
    """Log what the client is refused, and return it as `envelope` does."""
    log_refusal(ctx, error)
    return envelope(error)


def log_refusal(ctx: Context, error: RegistryError | RegistryErrors) -> None:
    for each in error.errors if isinstance(error, RegistryErrors) else (error,):
        level = logging.ERROR if each.status >= 500 else logging.INFO
        fields = {"err.code": each.code.lower(), "err.message": each.message, "err.detail": each.detail}
        ctx.log(level, "response completed with error", **fields)


def warning_headers(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Return Warning headers, as many as fit into the bytes allowed (OCI Distribution Spec 1.1, "Warnings").

    The texts are the registry's own: nothing of a request may stand in them.
    """
    headers: list[tuple[str, str]] = []
    left = _MOST_WARNING_BYTES
    for text in dict.fromkeys(texts):
        value = f'299 - "{text}"'
        left -= len(value)
        if left >= 0:
            headers.append(("Warning", value))
    return headers


@cache
def status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def unavailable(driver: str) -> Unavailable:
    """Return the error for a storage driver that failed; what failed is logged and not told."""
    detail = f"the storage driver {driver} failed; the registry's log says why"
    return Unavailable(detail, headers={"Retry-After": str(_RETRY_SECONDS)})


class Locations:
    """URLs of this registry as clients must use them: below the script name, and relative to the host or not.

    A relative reference is right behind any proxy, and needs no trust in a request's headers
    (RFC 9110 §10.2.2 allows it). `host` is an absolute URL to begin with; without it and if not
    `relative`, the request's own scheme and host are taken.
    """

    def __init__(self, environ: WSGIEnvironment, *, host: str = "", relative: bool = True) -> None:
        if not host and not relative:
            host = _asked_host(environ)
        script_name: str = environ.get("SCRIPT_NAME", "")
        if script_name.startswith("//"):  # a reference that begins so names a host (RFC 3986 §4.2)
            script_name = "/" + script_name.lstrip("/")
        root = host.rstrip("/") + script_name
        self._root = iri_to_uri(root) if root else ""

    def blob(self, name: str, digest: str) -> str:
        return f"{self._root}/v2/{name}/blobs/{digest}"

    def manifest(self, name: str, digest: str) -> str:
        return f"{self._root}/v2/{name}/manifests/{digest}"

    def upload(self, name: str, upload_id: str) -> str:
        return f"{self._root}/v2/{name}/blobs/uploads/{upload_id}"

    def next_page(self, path: str, query: Mapping[str, object]) -> str:
        """Return the value of the Link header to the next page of a list (RFC 8288)."""
        return f'<{self._root}{path}?{urlencode(query)}>; rel="next"'


def _asked_host(environ: WSGIEnvironment) -> str:
    """Return the scheme and host that a request came to; nothing where its Host header names no host."""
    host = get_host(environ)
    try:
        return iri_to_uri(f"{environ['wsgi.url_scheme']}://{host}") if host else ""
    except UnicodeError:  # what no domain name can be, such as `a..b`
        return ""
