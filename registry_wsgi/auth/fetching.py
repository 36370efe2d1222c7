"""Small JSON documents over HTTP, of a server that the operator named: bounded in time and length."""

from __future__ import annotations

import http.client
import json
import time
import urllib.request
from typing import Any

SECONDS = 5.0
LONGEST = 512 * 1024


def fetch(url: str) -> bytes:
    """Return what is at the URL, which answers itself: a redirect is not followed. Raises OSError, ValueError."""
    until = time.monotonic() + SECONDS
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 - the operator's own
    content = b""
    try:
        with _opener.open(request, timeout=SECONDS) as response:
            while block := response.read1(65536):
                content += block
                if len(content) > LONGEST or time.monotonic() > until:
                    raise ValueError("it is too long, or takes too long")
    except http.client.HTTPException as error:
        raise OSError(f"the server's answer cannot be read: {error}") from None
    return content


def decoded(content: bytes) -> dict[str, Any]:
    """Return the JSON object that the content is. Raises ValueError."""
    if len(content) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST} bytes")
    try:
        document = json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    return document


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow none: keys come from where the operator said, and from nowhere else."""


_opener = urllib.request.build_opener(_NoRedirect)
