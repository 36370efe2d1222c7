"""What an orchestrator asks for: whether the process is alive, and whether it is ready to be sent requests."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

from registry_wsgi.health.monitor import outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.health.checks import Check
    from registry_wsgi.health.monitor import Monitor

_SECONDS = 1.0
"""How long an answer holds: however many ask, the storage is written to once in that time."""


def live(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """A process that answers is alive."""
    return answer(environ, start_response, "200 OK", {"status": "alive"})


class Readiness:
    """Makes `checks`, and looks at those that `monitor` makes: 200 where all is well, and 503 with what is not."""

    def __init__(self, monitor: Monitor) -> None:
        self.checks: Mapping[str, Check] = {}
        self._monitor = monitor
        self._asking = threading.Lock()
        self._reasons: Mapping[str, str] = {}
        self._until = 0.0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        reasons = {**self._now(), **self._monitor.failing}
        ready = not any(reasons.values())
        described = {
            name: {"ok": not reason, **({"error": reason} if reason else {})} for name, reason in reasons.items()
        }
        document = {"status": "ready" if ready else "not ready", "checks": described}
        return answer(environ, start_response, "200 OK" if ready else "503 Service Unavailable", document)

    def _now(self) -> Mapping[str, str]:
        with self._asking:
            if time.monotonic() >= self._until:
                self._reasons = {name: outcome(check) for name, check in self.checks.items()}
                self._until = time.monotonic() + _SECONDS
            return self._reasons


def answer(environ: WSGIEnvironment, start_response: StartResponse, status: str, document: object) -> Iterable[bytes]:
    """Send a JSON document that nobody may keep."""
    body = json.dumps(document).encode() + b"\n"
    start_response(
        status,
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ],
    )
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
