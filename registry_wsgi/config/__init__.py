"""The configuration: registry:2's YAML file and environment variables, checked once at start-up.

Loading logs nothing and changes nothing: what the operator should hear is in `Configuration.warnings`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from registry_wsgi.config import document, environment
from registry_wsgi.config.checks import check
from registry_wsgi.config.findings import Findings
from registry_wsgi.config.health import read_health
from registry_wsgi.config.http import ADDRESS, read_http
from registry_wsgi.config.log import read_log
from registry_wsgi.config.model import (
    HTTP,
    TLS,
    Auth,
    Cache,
    Configuration,
    Debug,
    Endpoint,
    Health,
    HealthCheck,
    Layer,
    Log,
    MailHook,
    Notifications,
    Outbox,
    Responses,
    Schema1,
    Storage,
    UploadPurging,
    Validation,
)
from registry_wsgi.config.notifications import read_notifications
from registry_wsgi.config.responses import read_responses
from registry_wsgi.config.schema import TREE
from registry_wsgi.errors import ConfigurationError

__all__ = [
    "HTTP",
    "TLS",
    "Auth",
    "Cache",
    "Configuration",
    "Debug",
    "Endpoint",
    "Health",
    "HealthCheck",
    "Layer",
    "Log",
    "MailHook",
    "Notifications",
    "Outbox",
    "Responses",
    "Schema1",
    "Storage",
    "UploadPurging",
    "Validation",
    "examine",
    "load",
]

Source = str | os.PathLike[str] | Mapping[str, Any]

# Without any configuration: a registry for oneself.
_ALONE: Final[dict[str, Any]] = {
    "version": "0.1",
    "storage": {"filesystem": {"rootdirectory": "./data"}, "cache": {"blobdescriptor": "inmemory"}},
    "http": {"addr": ADDRESS},
}
_CACHED_DESCRIPTORS: Final = 10000
_RESERVED: Final = TREE.children["storage"].children


def load(source: Source | None = None, environ: Mapping[str, str] | None = None) -> Configuration:
    """Return the configuration of a file, of a mapping like a parsed one, or of the environment alone.

    None means the file that REGISTRY_CONFIGURATION_PATH names or, without one, a filesystem under
    `./data` on 127.0.0.1:5000. REGISTRY_* variables, of os.environ unless `environ` is given,
    override a file; a mapping is overridden only where `environ` is given, and needs no `version`.
    Raises ConfigurationError, whose text is one line that names the key and what is allowed.
    """
    findings = Findings()
    configuration = _configuration(check(_document(source, environ, findings), findings), findings)
    findings.raise_first()
    return configuration


def examine(
    source: Source | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Configuration | None, Findings]:
    """Return every problem of what `load` would be given, and what is left of it: a key with a problem is absent.

    The configuration is None where nothing can be read at all.
    """
    findings = Findings()
    with findings.noted():
        checked = check(_document(source, environ, findings), findings)
        return _configuration(checked, findings), findings
    return None, findings


def _document(source: Source | None, environ: Mapping[str, str] | None, findings: Findings) -> object:
    """Return what is in the source, with what the environment says over it."""
    variables: Mapping[str, str] = os.environ if environ is None else environ
    if source is None:
        source = variables.get(environment.CONFIGURATION_PATH) or _ALONE
    elif isinstance(source, Mapping):
        source = {"version": "0.1", **source}
        variables = environ or {}
    content = document.plain(source) if isinstance(source, Mapping) else document.read(source)
    if isinstance(content, dict):
        environment.override(content, variables, findings)
    return {} if content is None else content


def _configuration(checked: dict[str, Any], findings: Findings) -> Configuration:
    log = read_log(checked["log"], checked["loglevel"], findings)
    storage = _storage(checked, findings)
    maxentries = checked["catalog"]["maxentries"]
    return Configuration(
        version=checked["version"],
        log=log,
        storage=storage,
        http=read_http(checked["http"], findings),
        auth=_auth(checked["auth"], findings),
        middleware=_layers(checked["middleware"]["http"], "middleware.http"),
        catalog_maxentries=maxentries if maxentries > 0 else 1000,
        tags_maxtags=checked["tags"]["maxtags"] or 1000,
        validation=_validation(checked["validation"]),
        notifications=read_notifications(checked["notifications"], findings),
        responses=read_responses(checked["cache"]["responses"]),
        schema1=_schema1(checked["compatibility"]["schema1"], findings),
        health=read_health(checked["health"]),
        warnings=tuple(findings.warnings),
    )


def _storage(checked: dict[str, Any], findings: Findings) -> Storage:
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
        middleware=_layers(checked["middleware"]["storage"], "middleware.storage"),
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


def _auth(section: dict[str, Any], findings: Findings) -> Auth | None:
    controllers = [name for name in section if name.lower() not in {"", "none"}]
    if len(controllers) > 1 or (controllers and len(section) > 1):
        findings.add(ConfigurationError(f"auth: exactly one controller is allowed, not {', '.join(section)}"))
    return Auth(controllers[0], section[controllers[0]]) if controllers else None


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


def _schema1(section: dict[str, Any], findings: Findings) -> Schema1:
    if section["signingkeyfile"] and not section["enabled"]:
        findings.warnings.append(
            "compatibility.schema1.signingkeyfile has an effect only with compatibility.schema1.enabled"
        )
    return Schema1(section["enabled"], section["signingkeyfile"])


def _validation(section: dict[str, Any]) -> Validation:
    urls, indexes = section["manifests"]["urls"], section["manifests"]["indexes"]
    return Validation(
        disabled=section["disabled"] or not section["enabled"],
        allow_urls=tuple(urls["allow"]),
        deny_urls=tuple(urls["deny"]),
        platforms=indexes["platforms"],
        platform_list=tuple((each["architecture"], each["os"]) for each in indexes["platformlist"]),
    )


def _layers(section: list[dict[str, Any]], key: str) -> tuple[Layer, ...]:
    return tuple(
        Layer(layer["name"], layer["options"], key=f"{key}[{number}]")
        for number, layer in enumerate(section)
        if layer["name"] and not layer["disabled"]
    )
