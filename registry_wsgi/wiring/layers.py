"""The layers around the core, as configured, and whom they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi import plugins
from registry_wsgi.drivers.measured import MeasuredDriver
from registry_wsgi.drivers.traced import TracedDriver
from registry_wsgi.interfaces import Redirecting, TokenIssuer
from registry_wsgi.middleware.caching import CachingLayer
from registry_wsgi.middleware.compose import Layer
from registry_wsgi.middleware.tracing import TracingLayer
from registry_wsgi.wiring.observation import Observation
from registry_wsgi.wiring.registry import calls_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi import config
    from registry_wsgi.config import Auth, Configuration, Log, model
    from registry_wsgi.interfaces import AccessController
    from registry_wsgi.metrics.measurements import Measurements
    from registry_wsgi.storage.registry import Registry
    from registry_wsgi.wiring.notifier import Notifier


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
        stack.append(audit_layer(config.log))
    if notifier is not None:  # inside the audit, which has to hear of a write whose events could not be kept
        from registry_wsgi.middleware.notifications import NotificationsLayer  # noqa: PLC0415 - where it is configured

        options = {"intake": notifier.intake, "deliver": notifier.courier.start}
        stack.append(Layer("notifications", NotificationsLayer, options))
    if controller is not None:
        stack += _protection(controller, config.http.loginlimit)
    for extra in config.middleware:
        stack.append(configured_layer(extra))
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
    if calls_count(driver):
        why = f"the driver {driver.name} cannot tell cheaply what has changed"
        if not registry.recent.seconds:
            return [], f"no answers are remembered: {why}"
        remark = f"{why}: what another process deletes is served by digest for up to {chosen.ttl:g} s (cache.responses)"
        if registry.recent.told_seconds:
            told = f"{registry.recent.told_seconds:g} s (cache.links)"
            remark += f", and a layer that a program deletes without telling the cache for up to {told}"
    options = {
        "driver": driver,
        "maxbytes": chosen.maxbytes,
        "recent": registry.recent,
        "blobs": config.storage.redirect_disable or not isinstance(driver, Redirecting),
        "headers": added_headers(config),
        "measurements": measurements,
    }
    return [Layer("caching", CachingLayer, options)], remark


def added_headers(config: Configuration) -> tuple[tuple[str, str], ...]:
    """Return the configured headers of every answer."""
    return tuple((name, value) for name, values in config.http.headers.items() for value in values)


def create_controller(auth: Auth) -> AccessController:
    key = f"auth.{auth.controller}"
    built: AccessController = plugins.build(plugins.ACCESS_CONTROLLERS, auth.controller, auth.parameters, key=key)
    return built


def configured_layer(extra: config.Layer) -> Layer:
    factory = plugins.load(plugins.MIDDLEWARE, extra.name, key=extra.key)
    plugins.check(factory, extra.options, key=f"{extra.key}.options", arguments=1)
    return Layer(extra.name, factory, extra.options, key=f"{extra.key}.options")


def audit_layer(log: Log) -> Layer:
    from registry_wsgi.middleware.audit import AuditLayer  # noqa: PLC0415 - where it is configured

    return Layer("audit", AuditLayer, {"output": log.audit}, key="log.audit")
