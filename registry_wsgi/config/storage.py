"""The sections `storage` and `redis`: the driver, the cache of descriptors, and what is done to what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from registry_wsgi.config.model import Cache, Storage, UploadPurging
from registry_wsgi.config.schema import TREE
from registry_wsgi.config.stack import read_layers
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from registry_wsgi.config.findings import Findings

_CACHED_DESCRIPTORS: Final = 10000
_RESERVED: Final = TREE.children["storage"].children


def read_storage(checked: dict[str, Any], findings: Findings) -> Storage:
    """Return what is said of storage, in its section and in those beside it."""
    section = checked["storage"]
    driver = _driver(section, findings)
    return Storage(
        driver=driver,
        parameters=section.get(driver, {}),
        cache=_cache(section["cache"], _given(checked["redis"]), findings),
        delete_enabled=section["delete"]["enabled"],
        readonly_enabled=section["maintenance"]["readonly"]["enabled"],
        uploadpurging=UploadPurging(**section["maintenance"]["uploadpurging"]),
        redirect_disable=section["redirect"]["disable"],
        middleware=read_layers(checked["middleware"]["storage"], "middleware.storage"),
    )


def _driver(section: dict[str, Any], findings: Findings) -> str:
    drivers = [name for name in section if name not in _RESERVED]
    if not drivers:
        findings.add(
            ConfigurationError(
                "storage: no storage configuration provided; name one driver, such as storage.filesystem"
            )
        )
    if len(drivers) > 1:
        findings.add(
            ConfigurationError(
                f"storage: exactly one driver is allowed, not {', '.join(drivers)}"
                f"; REGISTRY_STORAGE replaces the whole section; beside the driver: {', '.join(sorted(_RESERVED))}"
            )
        )
    return drivers[0] if drivers else "inmemory"


def _cache(section: dict[str, Any], redis: dict[str, Any], findings: Findings) -> Cache | None:
    """Return the cache by registry:2's rule: `layerinfo` counts only where `blobdescriptor` is absent, not empty."""
    provider, layerinfo, size = section["blobdescriptor"], section["layerinfo"], section["blobdescriptorsize"]
    if layerinfo is not None:
        effect = "which it means" if provider is None else "which is given too and counts"
        findings.warnings.append(f"storage.cache.layerinfo is deprecated: write storage.cache.blobdescriptor, {effect}")
    provider = layerinfo if provider is None else provider
    if size is not None and provider != "inmemory":
        findings.warnings.append("storage.cache.blobdescriptorsize has an effect only with the cache inmemory")
    if redis and provider != "redis":
        findings.warnings.append("redis has an effect only with the cache redis")
    if provider == "redis":
        return _redis(redis, findings)
    if provider == "inmemory":
        return Cache(provider, {"size": _CACHED_DESCRIPTORS if size is None else max(size, 0)})
    return Cache(provider, {}) if provider else None


def _redis(section: dict[str, Any], findings: Findings) -> Cache:
    """Return the cache whose parameters are what is given in the section `redis`."""
    for key in ("sentinelusername", "sentinelpassword"):
        if section.get(key) and not section.get("mastername"):
            findings.warnings.append(f"redis.{key} has an effect only with redis.mastername")
    if not (section.get("addr") or section.get("addrs")):
        missing = "redis.addr: required for the cache redis, but not given; allowed: an address such as 127.0.0.1:6379"
        findings.add(ConfigurationError(missing))
    return Cache("redis", section, section="redis")


def _given(section: dict[str, Any]) -> dict[str, Any]:
    """Return the section without what is empty or zero, at every level."""
    inner = {name: _given(value) if isinstance(value, dict) else value for name, value in section.items()}
    return {name: value for name, value in inner.items() if value}
