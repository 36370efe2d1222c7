"""The configuration: registry:2's YAML file and environment variables, checked once at start-up.

Loading logs nothing and changes nothing: what the operator should hear is in `Configuration.warnings`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from registry_wsgi.config import document, environment
from registry_wsgi.config.checks import check
from registry_wsgi.config.log import read_log
from registry_wsgi.config.model import (
    HTTP,
    TLS,
    Auth,
    Cache,
    Configuration,
    Layer,
    Log,
    MailHook,
    Schema1,
    Storage,
    UploadPurging,
    Validation,
)
from registry_wsgi.config.schema import TREE
from registry_wsgi.errors import ConfigurationError

__all__ = [
    "HTTP",
    "TLS",
    "Auth",
    "Cache",
    "Configuration",
    "Layer",
    "Log",
    "MailHook",
    "Schema1",
    "Storage",
    "UploadPurging",
    "Validation",
    "load",
]

Source = str | os.PathLike[str] | Mapping[str, Any]

# Without any configuration: a registry for oneself.
_ALONE: Final = {
    "version": "0.1",
    "storage": {"filesystem": {"rootdirectory": "./data"}, "cache": {"blobdescriptor": "inmemory"}},
    "http": {"addr": "127.0.0.1:5000"},
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
    variables: Mapping[str, str] = os.environ if environ is None else environ
    if source is None:
        source = variables.get(environment.CONFIGURATION_PATH) or _ALONE
    elif isinstance(source, Mapping):
        source = {"version": "0.1", **source}
        variables = environ or {}
    content = document.plain(source) if isinstance(source, Mapping) else document.read(source)
    warnings: list[str] = []
    if isinstance(content, dict):
        warnings += environment.override(content, variables)
    return _configuration(check({} if content is None else content, warnings), warnings)


def _configuration(checked: dict[str, Any], warnings: list[str]) -> Configuration:
    log = read_log(checked["log"], checked["loglevel"], warnings)
    storage = _storage(checked, warnings)
    maxentries = checked["catalog"]["maxentries"]
    return Configuration(
        version=checked["version"],
        log=log,
        storage=storage,
        http=_http(checked["http"]),
        auth=_auth(checked["auth"]),
        middleware=_layers(checked["middleware"]["http"], "middleware.http"),
        catalog_maxentries=maxentries if maxentries > 0 else 1000,
        tags_maxtags=checked["tags"]["maxtags"] or 1000,
        validation=_validation(checked["validation"]),
        schema1=_schema1(checked["compatibility"]["schema1"], warnings),
        warnings=tuple(warnings),
    )


def _storage(checked: dict[str, Any], warnings: list[str]) -> Storage:
    section = checked["storage"]
    drivers = [name for name in section if name not in _RESERVED]
    if not drivers:
        raise ConfigurationError(
            "storage: no storage configuration provided; name one driver, such as storage.filesystem"
        )
    if len(drivers) > 1:
        raise ConfigurationError(
            f"storage: exactly one driver is allowed, not {', '.join(drivers)}"
            f"; REGISTRY_STORAGE replaces the whole section; beside the driver: {', '.join(sorted(_RESERVED))}"
        )
    return Storage(
        driver=drivers[0],
        parameters=section[drivers[0]],
        cache=_cache(section["cache"], _given(checked["redis"]), warnings),
        delete_enabled=section["delete"]["enabled"],
        readonly_enabled=section["maintenance"]["readonly"]["enabled"],
        uploadpurging=UploadPurging(**section["maintenance"]["uploadpurging"]),
        redirect_disable=section["redirect"]["disable"],
        middleware=_layers(checked["middleware"]["storage"], "middleware.storage"),
    )


def _auth(section: dict[str, Any]) -> Auth | None:
    controllers = [name for name in section if name.lower() not in {"", "none"}]
    if len(controllers) > 1 or (controllers and len(section) > 1):
        raise ConfigurationError(f"auth: exactly one controller is allowed, not {', '.join(section)}")
    return Auth(controllers[0], section[controllers[0]]) if controllers else None


def _cache(section: dict[str, Any], redis: dict[str, Any], warnings: list[str]) -> Cache | None:
    """Return the cache by registry:2's rule: `layerinfo` counts only where `blobdescriptor` is absent, not empty."""
    provider, layerinfo, size = section["blobdescriptor"], section["layerinfo"], section["blobdescriptorsize"]
    if layerinfo is not None:
        effect = "which it means" if provider is None else "which is given too and counts"
        warnings.append(f"storage.cache.layerinfo is deprecated: write storage.cache.blobdescriptor, {effect}")
    provider = layerinfo if provider is None else provider
    if size is not None and provider != "inmemory":
        warnings.append("storage.cache.blobdescriptorsize has an effect only with the cache inmemory")
    if redis and provider != "redis":
        warnings.append("redis has an effect only with the cache redis")
    if provider == "redis":
        return _redis(redis)
    if provider == "inmemory":
        return Cache(provider, {"size": _CACHED_DESCRIPTORS if size is None else max(size, 0)})
    return Cache(provider, {}) if provider else None


def _redis(section: dict[str, Any]) -> Cache:
    """Return the cache whose parameters are what is given in the section `redis`."""
    if not (section.get("addr") or section.get("addrs")):
        raise ConfigurationError(
            "redis.addr: required for the cache redis, but not given; allowed: an address such as 127.0.0.1:6379"
        )
    return Cache("redis", section, section="redis")


def _given(section: dict[str, Any]) -> dict[str, Any]:
    """Return the section without what is empty or zero, at every level."""
    inner = {name: _given(value) if isinstance(value, dict) else value for name, value in section.items()}
    return {name: value for name, value in inner.items() if value}


def _schema1(section: dict[str, Any], warnings: list[str]) -> Schema1:
    if section["signingkeyfile"] and not section["enabled"]:
        warnings.append("compatibility.schema1.signingkeyfile has an effect only with compatibility.schema1.enabled")
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
        if not layer["disabled"]
    )


def _http(section: dict[str, Any]) -> HTTP:
    if section["addr"].startswith("/") != (section["net"] == "unix"):
        allowed = "the path of a socket" if section["net"] == "unix" else "a host and port such as 127.0.0.1:5000"
        raise ConfigurationError(f"http.addr: must be {allowed} where http.net is {section['net']}")
    return HTTP(
        net=section["net"],
        addr=section["addr"],
        prefix=section["prefix"],
        host=section["host"],
        relativeurls=section["relativeurls"],
        headers=section["headers"],
        draintimeout=section["draintimeout"],
        tls=_tls(section["tls"]),
        trust_proxy_headers=section["trustproxyheaders"],
    )


def _tls(section: dict[str, Any]) -> TLS | None:
    certificate, key, authorities = section["certificate"], section["key"], section["clientcas"]
    if bool(certificate) != bool(key):
        missing = "key" if certificate else "certificate"
        raise ConfigurationError(f"http.tls.{missing}: required, but not given; allowed: the path of a PEM file")
    if authorities and not certificate:
        raise ConfigurationError("http.tls.clientcas: needs http.tls.certificate and http.tls.key")
    if len(authorities) > 1:
        raise ConfigurationError("http.tls.clientcas: only one file is allowed; put all certificates into it")
    return TLS(certificate, key, "".join(authorities), section["minimumtls"]) if certificate else None
