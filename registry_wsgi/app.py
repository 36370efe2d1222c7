"""The composition root: from a configuration to a WSGI application."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

from registry_wsgi import config as configuration
from registry_wsgi import logs
from registry_wsgi.api.call import Options
from registry_wsgi.api.core import create_core
from registry_wsgi.api.respond import API_VERSION, envelope
from registry_wsgi.auth.function import CallableController
from registry_wsgi.errors import ConfigurationError, RouteUnknown
from registry_wsgi.interfaces import TokenIssuer
from registry_wsgi.middleware.compose import compose
from registry_wsgi.wiring import worker
from registry_wsgi.wiring.layers import added_headers, caching, create_controller, layers
from registry_wsgi.wiring.notifier import create_notifier
from registry_wsgi.wiring.observation import Observation
from registry_wsgi.wiring.registry import create_registry

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TypeAlias

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.config import Configuration, Log
    from registry_wsgi.interfaces import AccessController, Authorize, WSGIApplication
    from registry_wsgi.middleware.compose import Layer
    from registry_wsgi.storage.registry import Registry
    from registry_wsgi.wiring.notifier import Listener, Notifier

    Source: TypeAlias = Configuration | Mapping[str, object] | str | os.PathLike[str] | None

_logger = logging.getLogger("registry_wsgi")


def create_app(source: Source = None, *, start: bool = False) -> WSGIApplication:
    """Return the registry as an application of its own, for a server to run: `gunicorn 'registry_wsgi:create_app()'`.

    `source` is a configuration, a mapping like one, or the path of a YAML file; without it
    the path is taken from REGISTRY_CONFIGURATION_PATH, and without that the defaults hold. Sets up the
    logger `registry_wsgi` as configured. Events are delivered at once in a worker of gunicorn and under waitress-serve,
    and with `start`, which is for servers that do not fork afterwards; else from when a process is forked or gets its
    first request. Raises ConfigurationError.
    """
    config = _loaded(source)
    configure_logs(config.log, access_log=not config.log.accesslog_disabled)
    for warning in config.warnings:
        _logger.warning(warning)
    worker.warn_of_untold_forks()
    notifier, observation = create_notifier(config), Observation(config)
    application = build(config, notifier=notifier, observation=observation)
    if notifier is not None:
        notifier.prepare()
        notifier.courier.start() if start or worker.is_worker() else notifier.courier.start_when_forked()
    observation.start()
    return application


def configure_logs(log: Log, *, access_log: bool) -> None:
    """Set up the logger `registry_wsgi`."""
    logs.configure(
        log.level,
        log.formatter,
        access_log=access_log,
        report_caller=log.reportcaller,
        hooks=_hooks(log) if log.hooks else (),
    )


def _hooks(log: Log) -> list[logging.Handler]:
    from registry_wsgi.logs.mailing import BackgroundHandler, MailHandler  # noqa: PLC0415 - where it is configured

    return [BackgroundHandler(MailHandler(**asdict(hook))) for hook in log.hooks]


def mount(
    host: WSGIApplication,
    source: Source,
    *,
    access: AccessController | Authorize | None = None,
    open_access: bool = False,
    input_terminated: bool = False,
    events: Listener | None = None,
    health: bool = False,
) -> WSGIApplication:
    """Return an application that answers `/v2/` with the registry and everything else with `host`.

    `access` decides who may do what: a controller, or a function of the host's that is called with the environ and
    the access that a request needs, and returns a Grant. It takes the place of `auth` in `source`. Without any access
    control everyone can push, and `open_access=True` must say that this is meant. `input_terminated=True` says that
    the server ends a body of unknown length, as docker sends layers, although it does not say so itself. `events` is
    called with each event, in a thread. With `health=True` the paths of the probes, `/healthz` and `/readyz`, are the
    registry's too. Nothing of the host's is touched, its logging neither. Raises ConfigurationError.
    """
    config = _loaded(source)
    controller = CallableController(function=access) if callable(access) else access
    if controller is None and config.auth is None and not open_access:
        raise ConfigurationError(
            "a registry mounted without access control lets everyone push: say mount(…, access=…) who may, "
            "or mount(…, open_access=True) if everyone should"
        )
    if controller is None and config.auth is not None:
        controller = create_controller(config.auth)
    if isinstance(controller, TokenIssuer) and not controller.token_path.startswith("/v2/"):
        raise ConfigurationError(
            f"a registry that is mounted answers below /v2/ only, and not at {controller.token_path}, where it issues "
            "tokens: give the issuer a path such as /v2/auth/token"
        )
    worker.warn_of_untold_forks()
    notifier, observation = create_notifier(config, events), Observation(config)
    registry = build(config, controller, notifier, observation)
    if notifier is not None:
        notifier.prepare()
    observation.start()
    claimed = frozenset(filter(None, (config.health.live, config.health.ready) if health else ()))

    def mounted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        ours = path.startswith("/v2/") or path == "/v2" or path in claimed
        if not (ours or environ.get("SCRIPT_NAME", "").endswith("/v2")):
            return host(environ, start_response)
        if input_terminated:
            environ["wsgi.input_terminated"] = True
        return registry(environ, start_response)

    return mounted


def build(
    config: Configuration,
    controller: AccessController | None = None,
    notifier: Notifier | None = None,
    observation: Observation | None = None,
) -> WSGIApplication:
    """Return the whole stack of layers around the core; `controller` takes the place of the configured one.

    `notifier` and `observation` are for the caller to start.
    """
    observation = observation or Observation(config)
    registry = create_registry(config, observation.measurements)
    observation.look_at(registry, notifier.outbox if notifier else None)
    innermost, remark = caching(config, registry, observation.measurements)
    if remark:
        _logger.info(remark)
    return assemble(config, registry, [*layers(config, controller, notifier, observation), *innermost])


def assemble(config: Configuration, registry: Registry, stack: Sequence[Layer]) -> WSGIApplication:
    """Return the core over `registry`, with the layers of `stack` around it, the first one outermost."""
    options = Options(
        host=config.http.host,
        relative_urls=config.http.relativeurls,
        headers=added_headers(config),
        catalog_max_entries=config.catalog_maxentries,
        tags_max=config.tags_maxtags,
        read_only=config.storage.readonly_enabled,
        redirect=not config.storage.redirect_disable,
    )
    app = compose(create_core(registry, options), stack)
    if config.http.prefix.strip("/"):
        app = _below(app, config.http.prefix.rstrip("/"))
    if config.http.trust_proxy_headers:
        app = ProxyFix(app, x_for=1, x_proto=1, x_host=1, x_prefix=1)
    return _rooted(app)


def _loaded(source: Source) -> Configuration:
    return source if isinstance(source, configuration.Configuration) else configuration.load(source)


def _rooted(app: WSGIApplication) -> WSGIApplication:
    """Serve `app` also where a dispatcher took `/v2` for the script name: to the registry it is a part of paths."""

    def rooted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        script_name = environ.get("SCRIPT_NAME", "")
        if script_name.endswith("/v2"):
            environ["SCRIPT_NAME"] = script_name[: -len("/v2")]
            environ["PATH_INFO"] = "/v2" + environ.get("PATH_INFO", "")
        return app(environ, start_response)

    return rooted


def _below(app: WSGIApplication, prefix: str) -> WSGIApplication:
    """Serve `app` below `prefix`, which becomes a part of the script name, so that every Location has it."""

    def prefixed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(prefix + "/"):
            _, headers, body = envelope(RouteUnknown(f"the registry is below {prefix}/"))
            start_response("404 Not Found", [*headers.items(), API_VERSION])
            return [body]
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + prefix
        environ["PATH_INFO"] = path[len(prefix) :]
        return app(environ, start_response)

    return prefixed
