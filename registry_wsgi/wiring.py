"""What a configuration asks for, built: the registry over its driver and cache, and the layers around the core."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from registry_wsgi import endpoints, plugins, writable
from registry_wsgi.drivers import abilities
from registry_wsgi.drivers.filesystem import DEFAULT_ROOT
from registry_wsgi.drivers.measured import MeasuredDriver
from registry_wsgi.drivers.traced import TracedDriver
from registry_wsgi.errors import ConfigurationError, why
from registry_wsgi.interfaces import Redirecting, TokenIssuer
from registry_wsgi.middleware.caching import CachingLayer
from registry_wsgi.middleware.compose import Layer, compose
from registry_wsgi.middleware.failures import check_file
from registry_wsgi.middleware.tracing import TracingLayer
from registry_wsgi.observing import Observation
from registry_wsgi.storage import paths
from registry_wsgi.storage.registry import Registry
from registry_wsgi.storage.validation import ManifestValidation, Platform, URLRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from registry_wsgi import config
    from registry_wsgi.config import Auth, Configuration, Log, Schema1, Storage, Validation, model
    from registry_wsgi.interfaces import (
        AccessController,
        BlobDescriptorCacheProvider,
        ManifestSigner,
        StorageDriver,
        WSGIApplication,
    )
    from registry_wsgi.metrics.measurements import Measurements
    from registry_wsgi.notifying import Notifier


def create_registry(config: Configuration, measurements: Measurements | None = None) -> Registry:
    """Return the Namespace over the configured driver and cache, which are measured if there is where to put it."""
    driver, cache = _driver(config), _cache(config)
    if measurements is not None:
        from registry_wsgi.cache.measured import MeasuredCacheProvider  # noqa: PLC0415 - where it is configured

        driver = MeasuredDriver(driver, measurements)
        cache = cache and MeasuredCacheProvider(cache, measurements)
    return Registry(
        driver,
        cache=cache,
        validation=_validation(config.validation),
        delete_enabled=config.storage.delete_enabled,
        signer=_signer(config.schema1),
        believed=config.responses.ttl if _calls_count(driver) else 0.0,
    )


def layers(
    config: Configuration,
    controller: AccessController | None = None,
    notifier: Notifier | None = None,
    observation: Observation | None = None,
) -> list[Layer]:
    """Return the layers from the outside in: ours, and after those of the same stage the configured ones."""
    stack = [Layer("tracing", TracingLayer, {"fields": config.log.fields})]
    stack += (observation or Observation(config)).layers()
    if controller is None and config.auth is not None:
        controller = create_controller(config.auth)
    if config.log.audit:
        stack.append(_audit(config.log))
    if notifier is not None:  # inside the audit, which has to hear of a write whose events could not be kept
        from registry_wsgi.middleware.notifications import NotificationsLayer  # noqa: PLC0415 - where it is configured

        options = {"intake": notifier.intake, "deliver": notifier.courier.start}
        stack.append(Layer("notifications", NotificationsLayer, options))
    if controller is not None:
        stack += _protection(controller, config.http.loginlimit)
    for extra in config.middleware:
        stack.append(_configured(extra))
    return sorted(stack, key=lambda layer: layer.stage)


def _protection(controller: AccessController, limit: model.LoginLimit) -> Iterator[Layer]:
    """Yield the layers that ask `controller`."""
    from registry_wsgi.middleware.access import AccessLayer  # noqa: PLC0415 - where it is configured
    from registry_wsgi.middleware.logins import LoginLimit  # noqa: PLC0415
    from registry_wsgi.middleware.tokens import TokenLayer  # noqa: PLC0415

    logins = LoginLimit(attempts=limit.attempts, window=limit.window, file=limit.file) if limit.attempts else None
    if isinstance(controller, TokenIssuer):
        yield Layer("tokens", TokenLayer, {"issuer": controller, "logins": logins})
    yield Layer("access", AccessLayer, {"controller": controller, "logins": logins})


def caching(
    config: Configuration, registry: Registry, measurements: Measurements | None = None
) -> tuple[list[Layer], str]:
    """Return the layer that gives answers of the core again, and what an operator should know of it, if anything.

    It stands inside all others of its stage, which may have something to say to every request.
    """
    chosen, driver = config.responses, registry.driver
    driver = driver.measured if isinstance(driver, MeasuredDriver) else driver
    if not chosen.enabled:
        return [], ""
    if isinstance(driver, TracedDriver):
        return [], "no answers are remembered: log.level is debug, so that every call of the driver is logged"
    remark = ""
    if _calls_count(driver):
        why = f"the driver {driver.name} cannot tell cheaply what has changed"
        if not registry.recent.seconds:
            return [], f"no answers are remembered: {why}"
        remark = f"{why}: what another process deletes is served by digest for up to {chosen.ttl:g} s (cache.responses)"
    options = {
        "driver": driver,
        "maxbytes": chosen.maxbytes,
        "recent": registry.recent,
        "blobs": config.storage.redirect_disable or not isinstance(driver, Redirecting),
        "headers": added_headers(config),
        "measurements": measurements,
    }
    return [Layer("caching", CachingLayer, options)], remark


def _calls_count(driver: StorageDriver) -> bool:
    """Tell whether each look at storage is a call that a client waits for: there is no cheaper one to be had."""
    return abilities.probe(driver, paths.ROOT) is None and not isinstance(driver, TracedDriver)


def added_headers(config: Configuration) -> tuple[tuple[str, str], ...]:
    """Return the configured headers of every answer."""
    return tuple((name, value) for name, values in config.http.headers.items() for value in values)


def parts(config: Configuration) -> Iterator[Callable[[], object]]:
    """Yield what builds each part of a registry, to learn of every one whether it can be built, and writes nothing."""
    yield lambda: _driver(config)
    yield partial(_check_root, config.storage)
    yield lambda: _cache(config)
    yield lambda: _validation(config.validation)
    yield lambda: _signer(config.schema1)
    if config.auth is not None:
        yield partial(create_controller, config.auth)
        if file := config.http.loginlimit.file:
            yield partial(check_file, file)
    yield from endpoints.parts(config)
    if config.log.audit:
        yield partial(_tried, partial(_audit, config.log))
    for extra in config.middleware:
        yield partial(_tried, partial(_configured, extra))


def _configured(extra: config.Layer) -> Layer:
    factory = plugins.load(plugins.MIDDLEWARE, extra.name, key=extra.key)
    plugins.check(factory, extra.options, key=f"{extra.key}.options", arguments=1)
    return Layer(extra.name, factory, extra.options, key=f"{extra.key}.options")


def _audit(log: Log) -> Layer:
    from registry_wsgi.middleware.audit import AuditLayer  # noqa: PLC0415 - where it is configured

    return Layer("audit", AuditLayer, {"output": log.audit}, key="log.audit")


def _tried(layer: Callable[[], Layer]) -> WSGIApplication:
    """Return the layer around nothing, to learn whether it takes its options."""
    return compose(lambda environ, start_response: [], [layer()])  # noqa: ARG005


def create_controller(auth: Auth) -> AccessController:
    key = f"auth.{auth.controller}"
    built: AccessController = plugins.build(plugins.ACCESS_CONTROLLERS, auth.controller, auth.parameters, key=key)
    return built


def _driver(config: Configuration) -> StorageDriver:
    name = config.storage.driver
    driver: StorageDriver = plugins.build(
        plugins.STORAGE_DRIVERS, name, config.storage.parameters, key=f"storage.{name}"
    )
    if config.log.level == "debug":
        driver = TracedDriver(driver)
    for middleware in config.storage.middleware:
        driver = plugins.build(
            plugins.STORAGE_MIDDLEWARE, middleware.name, middleware.options, key=middleware.key, arguments=[driver]
        )
    return driver


def _check_root(storage: Storage) -> None:
    """Raises ConfigurationError where nothing can be pushed, which does not keep a registry from being pulled from."""
    root = storage.parameters.get("rootdirectory", DEFAULT_ROOT)
    if storage.driver != "filesystem" or storage.readonly_enabled or not isinstance(root, str | os.PathLike):
        return
    try:
        writable.check_directory(root)
    except OSError as error:
        raise ConfigurationError(
            f"storage.filesystem.rootdirectory: nothing can be written in {root!r}: {why(error)}; allowed: a "
            "directory that this user may write in, or any with storage.maintenance.readonly.enabled"
        ) from None


def _validation(config: Validation) -> ManifestValidation:
    return ManifestValidation(
        urls=None if config.disabled else URLRules(config.allow_urls, config.deny_urls),
        platforms=config.platforms,  # type: ignore[arg-type]  # the loader takes no other
        listed=[Platform(*each) for each in config.platform_list],
    )


def _cache(config: Configuration) -> BlobDescriptorCacheProvider | None:
    cache = config.storage.cache
    if cache is None:
        return None
    built: BlobDescriptorCacheProvider = plugins.build(
        plugins.CACHE_PROVIDERS,
        cache.provider,
        cache.parameters,
        key="storage.cache.blobdescriptor",
        section=cache.section,
    )
    return built


def _signer(schema1: Schema1) -> ManifestSigner | None:
    """Return who verifies and signs manifests of schema 1, if they are taken."""
    if not schema1.enabled:
        return None
    try:
        from registry_wsgi.manifests.signing import LibtrustSigner  # noqa: PLC0415 - needs a package of an extra
    except ImportError as error:
        raise ConfigurationError(
            "compatibility.schema1.enabled: needs the package cryptography, which is not installed"
            "; install registry-wsgi[schema1]"
        ) from error
    try:
        return LibtrustSigner(schema1.signingkeyfile)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"compatibility.schema1.signingkeyfile: {why(error)}"
            "; allowed: the path of an EC or RSA private key, PEM or JWK"
        ) from error
