"""The section `health`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry_wsgi.config.model import Health, HealthCheck

if TYPE_CHECKING:
    from collections.abc import Iterator


def read_health(section: dict[str, Any]) -> Health:
    return Health(live=section["live"], ready=section["ready"], checks=tuple(_checks(section)))


def _checks(section: dict[str, Any]) -> Iterator[HealthCheck]:
    def check(kind: str, target: str, each: dict[str, Any], **more: Any) -> HealthCheck:
        return HealthCheck(kind, target, each["interval"], max(1, each["threshold"]), **more)

    if section["storagedriver"]["enabled"]:
        yield check("storagedriver", "", section["storagedriver"])
    for each in section["file"]:
        yield check("file", each["file"], each)
    for each in section["http"]:
        more = {"timeout": each["timeout"], "headers": each["headers"], "status": each["statuscode"]}
        yield check("http", each["uri"], each, **more)
    for each in section["tcp"]:
        yield check("tcp", each["addr"], each, timeout=each["timeout"])
