"""An event as registry:2 writes it, and how it tells time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from registry_wsgi.descriptor import Descriptor
    from registry_wsgi.interfaces import Notification

MEDIA_TYPE = "application/vnd.docker.distribution.events.v1+json"


def envelope(event: Notification) -> bytes:
    """Return what is sent for one event: a list of one, indented as docker-registry does."""
    return json.dumps({"events": [document(event)]}, indent=3).encode()


def document(event: Notification) -> dict[str, Any]:
    """Return the JSON object of an event (distribution 2.8, `notifications.md`); what is empty is left out."""
    request = event.request
    optional = {name: value for name, value in (("addr", request.addr), ("host", request.host)) if value}
    return {
        "id": event.id,
        "timestamp": rfc3339(event.time),
        "action": event.action,
        "target": _target(event),
        "request": {"id": request.id, **optional, "method": request.method, "useragent": request.useragent},
        "actor": {"name": event.actor} if event.actor else {},
        "source": {"addr": event.source.addr, "instanceID": event.source.instance_id},
    }


def rfc3339(nanoseconds: int) -> str:
    """Return a time in UTC with as many decimals as it has."""
    seconds, fraction = divmod(nanoseconds, 10**9)
    decimals = f".{fraction:09d}".rstrip("0").rstrip(".")
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{decimals}Z"


def _target(event: Notification) -> dict[str, Any]:
    target: dict[str, Any] = {}
    if event.target is not None:
        target = {"digest": event.target.digest} if event.action == "delete" else _described(event.target)
    members = {
        "length": target.get("size"),
        "repository": event.repository,
        "fromRepository": event.from_repository,
        "url": event.url,
        "tag": event.tag,
        "references": [_described(each) for each in event.references],
    }
    return target | {name: value for name, value in members.items() if value}


def _described(descriptor: Descriptor) -> dict[str, Any]:
    return {name: value for name, value in descriptor.to_dict().items() if value}
