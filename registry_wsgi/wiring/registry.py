"""The registry over its driver and cache, as configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi import plugins
from registry_wsgi.drivers import abilities
from registry_wsgi.drivers.measured import MeasuredDriver
from registry_wsgi.drivers.traced import TracedDriver
from registry_wsgi.errors import ConfigurationError, why
from registry_wsgi.storage import paths
from registry_wsgi.storage.registry import Registry
from registry_wsgi.storage.validation import ManifestValidation, Platform, URLRules
from registry_wsgi.storage.witnessed import witnessed_links

if TYPE_CHECKING:
    from registry_wsgi.config import Configuration, Schema1, Validation
    from registry_wsgi.interfaces import BlobDescriptorCacheProvider, ManifestSigner, StorageDriver
    from registry_wsgi.metrics.measurements import Measurements


def create_registry(config: Configuration, measurements: Measurements | None = None) -> Registry:
    """Return the Namespace over the configured driver and cache, which are measured if there is where to put it."""
    driver, cache = create_driver(config), create_cache(config)
    witnessed = witnessed_links(driver, cache, config.links_ttl)
    if measurements is not None:
        from registry_wsgi.cache.measured import MeasuredCacheProvider  # noqa: PLC0415 - where it is configured

        driver = MeasuredDriver(driver, measurements)
        cache = cache and MeasuredCacheProvider(cache, measurements)
    return Registry(
        driver,
        cache=cache,
        validation=create_validation(config.validation),
        delete_enabled=config.storage.delete_enabled,
        signer=create_signer(config.schema1),
        believed=config.responses.ttl if calls_count(driver) else 0.0,
        witnessed=witnessed,
    )


def create_driver(config: Configuration) -> StorageDriver:
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


def create_cache(config: Configuration) -> BlobDescriptorCacheProvider | None:
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


def create_validation(config: Validation) -> ManifestValidation:
    return ManifestValidation(
        urls=None if config.disabled else URLRules(config.allow_urls, config.deny_urls),
        platforms=config.platforms,  # type: ignore[arg-type]  # the loader takes no other
        listed=[Platform(*each) for each in config.platform_list],
    )


def create_signer(schema1: Schema1) -> ManifestSigner | None:
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


def calls_count(driver: StorageDriver) -> bool:
    """Tell whether each look at storage is a call that a client waits for: there is no cheaper one to be had."""
    return abilities.probe(driver, paths.ROOT) is None and not isinstance(driver, TracedDriver)
