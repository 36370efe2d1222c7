"""The section `notifications`: which endpoints get events, and where events wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from registry_wsgi.config.model import Endpoint, Notifications, Outbox
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from registry_wsgi.config.findings import Findings

DEFAULT_PATH: Final = "/var/lib/registry-wsgi/outbox"
_THRESHOLD: Final = 10
_BACKOFF: Final = 1.0
_SINKS_OWN: Final = ("url", "headers", "timeout", "format")


def read_notifications(section: dict[str, Any], findings: Findings) -> Notifications:
    """Return what the checked section says, the endpoints that are disabled by their names alone."""
    names: list[str] = []
    endpoints = []
    for number, each in enumerate(section["endpoints"]):
        key = f"notifications.endpoints[{number}]"
        name = each["name"] or _place(each["url"])
        with findings.noted():
            if name in names and not each["disabled"]:
                raise ConfigurationError(f"{key}.name: {name!r} is the name of two endpoints; allowed: one for each")
            names.append(name)
            if not each["disabled"]:
                endpoints.append(_endpoint(each, name, key))
    return Notifications(
        endpoints=tuple(endpoints),
        names=frozenset(names),
        include_references=section["events"]["includereferences"],
        outbox=_outbox(section["outbox"]),
    )


def _place(url: str) -> str:
    """Return the host and the path, which are what of a URL is no secret."""
    return url.partition("?")[0].partition("://")[2].rpartition("@")[2]


def _endpoint(section: dict[str, Any], name: str, key: str) -> Endpoint:
    if section["sink"] == "http" and not section["url"]:
        raise ConfigurationError(
            f"{key}.url: required, but not given; allowed: an absolute URL such as https://example.com/events"
        )
    ignore = section["ignore"]
    given = {each: section[each] for each in _SINKS_OWN if section[each]}
    return Endpoint(
        name=name,
        key=key,
        sink=section["sink"],
        parameters={**given, **section["options"]},
        threshold=section["threshold"] if section["threshold"] > 0 else _THRESHOLD,
        backoff=section["backoff"] or _BACKOFF,
        ignored_media_types=frozenset(section["ignoredmediatypes"]) | frozenset(ignore["mediatypes"]),
        ignored_actions=frozenset(ignore["actions"]),
    )


def _outbox(section: dict[str, Any]) -> Outbox | None:
    """Return the outbox that is asked for, None where nothing is."""
    given = {name: section[name] for name in ("path", "maxevents") if section[name] is not None}
    if not (given or section["name"] or section["options"]):
        return None
    return Outbox(section["name"] or "sqlite", {**given, **section["options"]})
