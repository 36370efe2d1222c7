"""A registry client that follows nothing and repairs nothing, so that what is wrong can be seen."""

from __future__ import annotations

import base64
import http.client
import json
import select
import socket
import ssl
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from werkzeug.datastructures import WWWAuthenticate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from email.message import Message

_PART = 1024 * 1024
"""Bytes of a body that is begun: servers written in Go read 256 KB of one before they refuse it."""


class Unreachable(Exception):
    """There is no answer at all; the text says why, in words."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def detail(self) -> str:
        """What the registry says of an error, or that it is not the registry who speaks."""
        try:
            return "; ".join(
                f"{error['code']}: {error.get('detail') or error.get('message')}"
                for error in json.loads(self.body)["errors"]
            )
        except (ValueError, KeyError, TypeError):
            return "the answer is not the registry's own: something in front of it answered"


def connection_to(netloc: str, tls: ssl.SSLContext | None, timeout: float) -> http.client.HTTPConnection:
    """Return a connection, not yet open, with TLS where a context for it is given."""
    if tls is None:
        return http.client.HTTPConnection(netloc, timeout=timeout)
    return http.client.HTTPSConnection(netloc, timeout=timeout, context=tls)


class Client:
    """Speaks to the registry whose `/v2/` is below `url`, as `username` if one is given.

    `cafile` are the authorities to trust in place of the system's; `timeout` is in seconds. Raises ValueError for
    what is no http or https URL.
    """

    def __init__(
        self, url: str, *, username: str = "", password: str = "", cafile: str | None = None, timeout: float = 60
    ) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"{url!r} is no URL of a registry; allowed: such as https://registry.example.org")
        self.scheme, self.netloc = parts.scheme, parts.netloc
        self.prefix = parts.path.rstrip("/").removesuffix("/v2")
        self._login = base64.b64encode(f"{username}:{password}".encode()).decode() if username else ""
        self._tls = ssl.create_default_context(cafile=cafile) if parts.scheme == "https" else None
        self._timeout = timeout
        self._authorization = ""

    def request(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer, logging in and asking again where that is asked for; a body not of bytes goes out chunked.

        `target` is a path below the registry's prefix, or a Location. Raises Unreachable.
        """
        answer = self._request(method, target, body, headers or {})
        if answer.status == 401 and self._log_in(answer):
            answer = self._request(method, target, body, headers or {})
        return answer

    def answers_before_the_body(self, target: str, *, seconds: float) -> bool:
        """Tell whether a chunked PATCH is answered while most of its body is still to come. Raises Unreachable."""
        with closing(self._connection()) as connection:
            try:
                connection.putrequest("PATCH", self._path(target))
                for name, value in self._headers({"Transfer-Encoding": "chunked"}).items():
                    connection.putheader(name, value)
                connection.endheaders()
                with suppress(BrokenPipeError, ConnectionResetError):  # refused, and hung up upon
                    connection.send(b"%x\r\n%b\r\n" % (_PART, bytes(_PART)))
                ready, _, _ = select.select([connection.sock], [], [], seconds)
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(f"the connection broke while a body was being sent: {error}") from None
            return bool(ready)

    def _request(self, method: str, target: str, body: bytes | Iterable[bytes], headers: Mapping[str, str]) -> Answer:
        with closing(self._connection()) as connection:
            try:
                connection.connect()
                # Who refuses a body may hang up before all of it was sent; the answer can still be read.
                with suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(method, self._path(target), body, self._headers(headers))
                answer = connection.getresponse()
                return Answer(answer.status, answer.headers, answer.read())
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(self._why(error)) from None

    def _connection(self) -> http.client.HTTPConnection:
        return connection_to(self.netloc, self._tls, self._timeout)

    def _path(self, target: str) -> str:
        parts = urlsplit(target)
        path = parts.path if parts.netloc or not target.startswith("/v2/") else self.prefix + parts.path
        return f"{path}?{parts.query}" if parts.query else path

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {**headers, "User-Agent": "registry-wsgi self-test"} | (
            {"Authorization": self._authorization} if self._authorization else {}
        )

    def _log_in(self, answer: Answer) -> bool:
        """Prepare the credentials that a 401 asks for, and tell whether there are other ones than were refused."""
        before = self._authorization
        for header in answer.headers.get_all("WWW-Authenticate", []):
            challenge = WWWAuthenticate.from_header(header)
            if challenge is not None and challenge.type == "bearer":
                self._authorization = f"Bearer {self._token(challenge)}"
            elif challenge is not None and challenge.type == "basic" and self._login:
                self._authorization = f"Basic {self._login}"
        return self._authorization != before

    def _token(self, challenge: WWWAuthenticate) -> str:
        """Return a token from the server that the challenge names (Docker Registry v2 authentication)."""
        realm = urlsplit(challenge.get("realm") or "")
        query = urlencode([(key, value) for key in ("service", "scope") if (value := challenge.get(key))])
        tls = (self._tls or ssl.create_default_context()) if realm.scheme == "https" else None
        with closing(connection_to(realm.netloc, tls, self._timeout)) as connection:
            try:
                login = {"Authorization": f"Basic {self._login}"} if self._login else {}
                connection.request("GET", f"{realm.path}?{query}", headers=login)
                document = json.loads(connection.getresponse().read())
                return str(document.get("token") or document["access_token"])
            except (OSError, http.client.HTTPException, ValueError, KeyError, AttributeError) as error:
                where = challenge.get("realm")
                raise Unreachable(f"the token server {where} that the registry names gives no token: {error}") from None

    def _why(self, error: Exception) -> str:
        where = f"{self.scheme}://{self.netloc}"
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the certificate of {where} is not trusted ({error.verify_message}): give its authority by --cacert"
        if isinstance(error, ssl.SSLError):
            return f"{where} does not speak TLS ({error.reason}): is it http://?"
        if isinstance(error, ConnectionRefusedError):
            return f"nothing listens at {where}"
        if isinstance(error, socket.gaierror):
            return f"the name of {where} is not known"
        if isinstance(error, TimeoutError):
            return f"{where} did not answer within {self._timeout:g} s"
        return f"{where} hung up: {error or type(error).__name__}"
