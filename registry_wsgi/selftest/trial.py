"""What the steps of a trial share: the client, what was pushed so far, and what is to be said."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from registry_wsgi.descriptor import Digest

if TYPE_CHECKING:
    from registry_wsgi.selftest.client import Answer, Client

LAYER_BYTES = 4 * 1024 * 1024
"""More than the largest body that proxies let through unless told otherwise, and still sent in a moment."""


class Stop(Exception):
    """Nothing further can work; the text says what is wrong."""


class Trial:
    """One run. The layer is the same each time, so that many runs store it once."""

    def __init__(self, client: Client, repository: str) -> None:
        self.client = client
        self.repository = repository
        self.base = f"/v2/{repository}"
        self.layer = random.Random(0).randbytes(LAYER_BYTES)  # noqa: S311 - repeatable, and no secret
        self.digest = Digest.of(self.layer)
        self.upload = ""
        self.manifest = b""
        self.manifest_digest = ""
        self.problems: list[str] = []
        self.notes: list[str] = []

    def expect(self, answer: Answer, *statuses: int, what: str) -> Answer:
        """Return the answer; raise Stop where its status is another, with what explains it."""
        if answer.status in statuses:
            return answer
        raise Stop(f"{what} is answered {answer.status}: {_explained(answer)}")

    def check_url(self, url: str | None, name: str) -> None:
        """Note what is wrong with a URL of the registry's own, as Location and Link have them."""
        if not url:
            raise Stop(f"the answer has no {name} header: a proxy removed it, or this is no registry")
        parts = urlsplit(url)
        here = self.client
        if parts.scheme and parts.scheme != here.scheme:
            self.problems.append(
                f"{name} points at {parts.scheme}://, and you came by {here.scheme}://: let the proxy send"
                " X-Forwarded-Proto and set http.trustproxyheaders, set http.host, or leave http.relativeurls on"
            )
        elif parts.netloc and parts.netloc != here.netloc:
            self.problems.append(
                f"{name} points at {parts.netloc}, and you came to {here.netloc}: let the proxy hand on the Host header"
                " with its port, set http.host, or leave http.relativeurls on"
            )
        if not parts.path.startswith(f"{here.prefix}/v2/"):
            self.problems.append(
                f"{name} points at the path {parts.path}, which is not below {here.prefix}/v2/: set http.prefix, or let"
                " the proxy send X-Forwarded-Prefix and set http.trustproxyheaders"
            )


def _explained(answer: Answer) -> str:
    match answer.status:
        case 401:
            return f"the credentials do not do, or none were given (--username, --password): {answer.detail}"
        case 403:
            return f"the user may not: {answer.detail}"
        case 413:
            return "a proxy refuses bodies of this size; nginx: client_max_body_size 0"
        case 411:
            return (
                "chunked bodies, which docker sends, do not get through: the server or a proxy wants a Content-Length"
            )
        case 502 | 504:
            return "a proxy cannot reach the registry, or its time-out is too short"
    return answer.detail
