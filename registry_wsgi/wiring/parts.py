"""Each part of a registry by itself, for who wants to hear of every one that cannot be built."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from registry_wsgi import writable
from registry_wsgi.drivers.filesystem import DEFAULT_ROOT
from registry_wsgi.errors import ConfigurationError, why
from registry_wsgi.middleware.compose import Layer, compose
from registry_wsgi.middleware.failures import check_file
from registry_wsgi.wiring import endpoints
from registry_wsgi.wiring.layers import audit_layer, configured_layer, create_controller
from registry_wsgi.wiring.registry import create_cache, create_driver, create_signer, create_validation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from registry_wsgi.config import Configuration, Storage
    from registry_wsgi.interfaces import WSGIApplication


def parts(config: Configuration) -> Iterator[Callable[[], object]]:
    """Yield what builds each part of a registry, to learn of every one whether it can be built, and writes nothing."""
    yield lambda: create_driver(config)
    yield partial(_check_root, config.storage)
    yield lambda: create_cache(config)
    yield lambda: create_validation(config.validation)
    yield lambda: create_signer(config.schema1)
    if config.auth is not None:
        yield partial(create_controller, config.auth)
        if file := config.http.loginlimit.file:
            yield partial(check_file, file)
    yield from endpoints.parts(config)
    if config.log.audit:
        yield partial(_tried, partial(audit_layer, config.log))
    for extra in config.middleware:
        yield partial(_tried, partial(configured_layer, extra))


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


def _tried(layer: Callable[[], Layer]) -> WSGIApplication:
    """Return the layer around nothing, to learn whether it takes its options."""
    return compose(lambda environ, start_response: [], [layer()])  # noqa: ARG005
