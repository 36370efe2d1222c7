"""The section `health`."""

from __future__ import annotations

from typing import Final

from registry_wsgi.config.key import Key, ours
from registry_wsgi.config.kinds import BOOLEAN, DURATION, FILE, HEADERS, OFF_OR_PATH, POSITIVE, SERVER, URL


def _repeated(path: str) -> tuple[Key, ...]:
    """Return what every check takes."""
    return (
        Key(f"{path}.interval", "how often", DURATION, 10.0),
        Key(
            f"{path}.threshold",
            "how many failures in a row make the registry unhealthy; 0 is as good as 1",
            POSITIVE,
            1,
        ),
    )


KEYS: Final = (
    ours(
        "health.live",
        "where a [probe](monitoring.md#probes) learns that the process is alive; empty for nowhere",
        OFF_OR_PATH,
        "/healthz",
    ),
    ours(
        "health.ready",
        "where a probe learns that the registry can be sent requests; empty for nowhere",
        OFF_OR_PATH,
        "/readyz",
    ),
    Key(
        "health.storagedriver.enabled",
        "whether it is [checked](monitoring.md#checks) that the storage answers",
        BOOLEAN,
        False,
    ),
    *_repeated("health.storagedriver"),
    Key("health.file[].file", "a path; the registry is unhealthy while a file is there", FILE, required=True),
    *_repeated("health.file[]"),
    Key("health.http[].uri", "what has to answer to HEAD", URL, required=True),
    Key("health.http[].headers", "headers of the request", HEADERS, {}),
    Key("health.http[].statuscode", "the status of the answer", POSITIVE, 200),
    Key("health.http[].timeout", "how long it may take", DURATION, 0.0, otherwise="none"),
    *_repeated("health.http[]"),
    Key("health.tcp[].addr", "where somebody has to listen", SERVER, required=True),
    Key("health.tcp[].timeout", "how long a connection may take", DURATION, 0.0, otherwise="none"),
    *_repeated("health.tcp[]"),
)
