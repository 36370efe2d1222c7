"""The token server of a registry that is its own: who they are goes in, tokens come out."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from registry_wsgi.api.bodies import RequestBody
from registry_wsgi.api.respond import API_VERSION, envelope, status_line
from registry_wsgi.context import ENVIRON_KEY
from registry_wsgi.errors import ManifestTooLarge, RegistryError, Unauthorized
from registry_wsgi.interfaces import TokenRequest
from registry_wsgi.middleware.compose import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import TokenIssuer, WSGIApplication
    from registry_wsgi.middleware.logins import LoginLimit

_LONGEST_FORM = 128 * 1024
_MOST_FIELDS = 100
_FORM = "application/x-www-form-urlencoded"


class TokenLayer:
    """Answers at the two paths of `issuer`, and hands on whatever is for another path, to access control inside.

    Whoever asks for a token is not let in anywhere by this layer: it only says who they are, on the issuer's word.
    """

    stage = Stage.PROTECT

    def __init__(self, app: WSGIApplication, *, issuer: TokenIssuer, logins: LoginLimit | None = None) -> None:
        self._app = app
        self._issuer = issuer
        self._logins = logins

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path not in (self._issuer.token_path, self._issuer.keys_path):
            return self._app(environ, start_response)
        ctx: Context = environ[ENVIRON_KEY]
        method = environ["REQUEST_METHOD"]
        try:
            answer = self._key_set(ctx, method) if path == self._issuer.keys_path else self._token(ctx, environ, method)
        except _Refused as error:
            document = {"error": error.code, "error_description": error.description}
            answer = error.status, {**error.headers, **_json(document)}, _dumped(document)
        except RegistryError as error:
            ctx.info("refused", **{"err.code": error.code.lower(), "err.detail": error.detail})
            answer = envelope(error)
        status, headers, body = answer
        start_response(status_line(status), [*headers.items(), API_VERSION])
        return [] if method == "HEAD" else [body]

    def _key_set(self, ctx: Context, method: str) -> tuple[int, dict[str, str], bytes]:
        if method not in ("GET", "HEAD"):
            raise _not_allowed("GET, HEAD")
        document = self._issuer.key_set(ctx)
        return 200, {**_json(document), "Cache-Control": "public, max-age=60"}, _dumped(document)

    def _token(self, ctx: Context, environ: WSGIEnvironment, method: str) -> tuple[int, dict[str, str], bytes]:
        if method == "GET":
            fields = _fields(environ.get("QUERY_STRING", ""))
            offline = _one(fields, "offline_token") == "true"
            request = TokenRequest(tuple(fields.get("scope", ())), offline)
        elif method == "POST":
            request = _posted(environ)
        else:
            raise _not_allowed("GET, POST")
        document = self._issued(ctx, environ, request)
        # RFC 6749 §5.1: no cache may keep a token.
        return 200, {**_json(document), "Cache-Control": "no-store", "Pragma": "no-cache"}, _dumped(document)

    def _issued(self, ctx: Context, environ: WSGIEnvironment, request: TokenRequest) -> Mapping[str, object]:
        if self._logins is None:
            return self._issuer.issue(ctx, environ, request)
        self._logins.check(environ)
        try:
            return self._issuer.issue(ctx, environ, request)
        except Unauthorized as error:
            self._logins.failed(environ, error)
            raise


class _Refused(Exception):
    """A request that is not of the protocol's form, by its code in RFC 6749 §5.2."""

    def __init__(
        self, code: str, description: str, status: int = HTTPStatus.BAD_REQUEST, headers: Mapping[str, str] = {}
    ) -> None:
        super().__init__(description)
        self.code, self.description, self.status, self.headers = code, description, status, headers


def _not_allowed(methods: str) -> _Refused:
    return _Refused("invalid_request", f"allowed methods: {methods}", HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": methods})


def _posted(environ: WSGIEnvironment) -> TokenRequest:
    """Return the request in a form (RFC 6749 §4.3, §6), whose user stands in the environ then, as Basic credentials."""
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != _FORM:
        raise _Refused("invalid_request", f"the body must be {_FORM}")
    try:
        fields = _fields(RequestBody(environ).read(_LONGEST_FORM).decode("latin-1"))
    except ManifestTooLarge:
        raise _Refused("invalid_request", f"the body is longer than {_LONGEST_FORM} bytes", 413) from None
    scopes = tuple(fields.get("scope", ()))
    match _one(fields, "grant_type"):
        case "password":
            user, password = _one(fields, "username"), _one(fields, "password")
            if ":" in user:  # RFC 7617 §2: what is behind it would be taken for the password
                raise _Refused("invalid_request", "a username has no colon")
            credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
            offline = _one(fields, "access_type") == "offline"
            environ["HTTP_AUTHORIZATION"] = f"Basic {credentials}"
            return TokenRequest(scopes, offline)
        case "refresh_token":
            if not (refresh_token := _one(fields, "refresh_token")):
                raise _Refused("invalid_request", "refresh_token is missing")
            return TokenRequest(scopes, refresh_token=refresh_token)
    raise _Refused("unsupported_grant_type", "allowed: password, refresh_token")


def _fields(text: str) -> Mapping[str, Sequence[str]]:
    try:
        return parse_qs(text, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise _Refused("invalid_request", f"more than {_MOST_FIELDS} fields") from None


def _one(fields: Mapping[str, Sequence[str]], name: str) -> str:
    """Return the value of a field that must not be there twice, empty where it is not there (RFC 6749 §3.2)."""
    values = fields.get(name, [""])
    if len(values) > 1:
        raise _Refused("invalid_request", f"{name} is given more than once")
    return values[0]


def _dumped(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def _json(document: object) -> dict[str, str]:
    return {"Content-Type": "application/json", "Content-Length": str(len(_dumped(document)))}
