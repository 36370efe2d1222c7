"""The section `notifications`."""

from __future__ import annotations

from typing import Final

from registry_wsgi.config.key import Key, ours
from registry_wsgi.config.kinds import (
    BOOLEAN,
    DURATION,
    ENDPOINT,
    FILE,
    HEADERS,
    INTEGER,
    MAPPING,
    MEDIA_TYPE,
    POSITIVE,
    TEXT,
    one_of,
)

KEYS: Final = (
    Key(
        "notifications.events.includereferences", "whether events of manifests list what they refer to", BOOLEAN, False
    ),
    Key(
        "notifications.endpoints[].name",
        "the [endpoint's](notifications.md) name in logs and statistics, and that of its backlog: one for each",
        TEXT,
        "",
        otherwise="host and path of the URL",
    ),
    Key(
        "notifications.endpoints[].disabled",
        "whether it gets no events; what waits for it goes on waiting",
        BOOLEAN,
        False,
    ),
    Key("notifications.endpoints[].url", "where events are POSTed", ENDPOINT, "", otherwise="required"),
    Key(
        "notifications.endpoints[].headers",
        "headers of these requests, such as `Authorization: [Bearer …]`",
        HEADERS,
        {},
    ),
    Key(
        "notifications.endpoints[].timeout",
        "how long a post may take; `0` is the default",
        DURATION,
        0.0,
        otherwise="`1s`",
    ),
    Key(
        "notifications.endpoints[].threshold",
        "after so many failures in a row the endpoint counts as down; 0 or less is the default",
        INTEGER,
        0,
        otherwise="`10`",
    ),
    Key(
        "notifications.endpoints[].backoff",
        "how long to wait then between two attempts, at first; the pauses grow up to a minute. `0` is the default",
        DURATION,
        0.0,
        otherwise="`1s`",
    ),
    Key("notifications.endpoints[].ignoredmediatypes[]", "events of such targets are left out", MEDIA_TYPE),
    Key("notifications.endpoints[].ignore.mediatypes[]", "… the same", MEDIA_TYPE),
    Key(
        "notifications.endpoints[].ignore.actions[]",
        "events of these are left out",
        one_of("pull", "push", "mount", "delete", unset=()),
    ),
    ours(
        "notifications.endpoints[].format",
        "how events are written: as registry:2 does, or as CloudEvents 1.0, which needs the extra `cloudevents`",
        one_of("docker", "cloudevents"),
        "",
        otherwise="`docker`",
    ),
    ours(
        "notifications.endpoints[].sink",
        (
            "who delivers: `http`, `callable` for a [function](notifications.md#in-python), or the name of an"
            " installed plugin"
        ),
        TEXT,
        "http",
    ),
    ours("notifications.endpoints[].options", "further parameters of the sink", MAPPING, {}),
    ours(
        "notifications.outbox.name",
        "where events wait for delivery: `sqlite`, `inmemory`, or the name of an installed plugin",
        TEXT,
        "",
        otherwise="`sqlite`",
    ),
    ours(
        "notifications.outbox.path",
        "a directory of this host, outside the storage, that all processes of the registry share",
        FILE,
        otherwise="`/var/lib/registry-wsgi/outbox`",
    ),
    ours(
        "notifications.outbox.maxevents",
        (
            "the most events that wait for one endpoint, half of which may be pulls; [what "
            "then](notifications.md#when-the-outbox-is-full). `0` for no limit"
        ),
        POSITIVE,
        otherwise="`1000000`",
    ),
    ours("notifications.outbox.options", "further parameters of the outbox", MAPPING, {}),
)
