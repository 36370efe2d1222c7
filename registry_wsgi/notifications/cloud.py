"""An event as a CloudEvent 1.0, HTTP binding, structured mode. The data is the event as registry:2 writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cloudevents.core.bindings.http import to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from registry_wsgi.notifications.documents import document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from registry_wsgi.interfaces import Notification

_FORMAT = JSONFormat()


def structured(event: Notification) -> tuple[Mapping[str, str], bytes]:
    """Return the headers and the body.

    The type is `registry.` and the action; the source is the registry's address and the repository, the subject a tag
    or a digest. `traceparent` is an attribute of the extension Distributed Tracing.
    """
    attributes = {
        "id": event.id,
        "type": f"registry.{event.action}",
        "source": f"//{event.source.addr}/{event.repository}",
        "subject": event.tag or (event.target.digest if event.target is not None else ""),
        "time": datetime.fromtimestamp(event.time / 10**9, UTC),
        "datacontenttype": "application/json",
    }
    if event.request.traceparent:
        attributes["traceparent"] = event.request.traceparent
    message = to_structured(CloudEvent(attributes, document(event)), _FORMAT)
    return message.headers, message.body
