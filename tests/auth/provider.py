"""A real OpenID provider on loopback: it publishes its keys, and signs identity tokens of whatever claims."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path

READY_SECONDS = 60.0
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Provider:
    """A running provider, by its issuer, a URL."""

    issuer: str

    def token(self, audience: str, sub: str, **claims: object) -> str:
        """Return an identity token, by the authorization code flow (OpenID Connect Core 1.0 §3.1)."""
        self._ask("PUT", f"/users/{quote(sub, safe='')}", json.dumps(claims), {"Content-Type": "application/json"})
        back = "http://127.0.0.1/back"
        query = {"client_id": audience, "redirect_uri": back, "response_type": "code", "scope": "openid"}
        answer = self._ask("POST", f"/oauth2/authorize?{urlencode(query)}", urlencode({"sub": sub}), FORM)
        code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "client_id": audience}
        granted = self._ask("POST", "/oauth2/token", urlencode({**form, "client_secret": "any"}), FORM)
        return str(json.loads(granted.body)["id_token"])

    def _ask(self, method: str, target: str, body: str, headers: dict[str, str]) -> Answer:
        with closing(http.client.HTTPConnection(urlsplit(self.issuer).netloc, timeout=60)) as connection:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status < 400, content
            return Answer(answer.headers, content)


@dataclass
class Answer:
    headers: Message
    body: bytes


@contextmanager
def provider(log: Path) -> Iterator[Provider]:
    """Run a provider until the block ends."""
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)],
            env=os.environ | {"AUTHLIB_INSECURE_TRANSPORT": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        running = Provider(f"http://localhost:{port}")
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield running
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    with closing(http.client.HTTPConnection("localhost", port, timeout=5)) as connection:
        try:
            connection.request("GET", "/.well-known/openid-configuration")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
