"""Running the registry on granian, which parses HTTP and streams bodies in compiled code."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry_wsgi import app, maintenance
from registry_wsgi import config as configuration
from registry_wsgi.context import Context
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from registry_wsgi.config import Configuration
    from registry_wsgi.interfaces import WSGIApplication

_TARGET = "registry_wsgi.server:worker"


def run(config: Configuration, *, workers: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigurationError where `config` cannot be served."""
    try:
        from granian import Granian  # noqa: PLC0415 - an extra
        from granian.constants import Interfaces, SSLProtocols  # noqa: PLC0415
        from granian.log import LogLevels  # noqa: PLC0415
    except ImportError:
        missing = "serve needs granian, which is not installed: pip install 'registry-wsgi[serve]'"
        raise ConfigurationError(missing) from None
    app.build(config)  # what cannot be built is said here, once, and not by every worker
    place = _place(config)
    _greet(config)
    tls = config.http.tls
    Granian(
        _TARGET,
        **place,
        interface=Interfaces.WSGI,
        factory=True,
        workers=workers,
        respawn_failed_workers=True,
        workers_kill_timeout=max(1, int(config.http.draintimeout)) if config.http.draintimeout else None,
        websockets=False,
        log_access=False,
        log_level=LogLevels.error,
        ssl_cert=Path(tls.certificate) if tls else None,
        ssl_key=Path(tls.key) if tls else None,
        ssl_protocol_min=SSLProtocols(tls.minimum) if tls else SSLProtocols.tls12,
        ssl_ca=Path(tls.clientca) if tls and tls.clientca else None,
        ssl_client_verify=bool(tls and tls.clientca),
    ).serve()


def worker() -> WSGIApplication:
    """Return what a worker serves, and start its maintenance here: a parent that forks may have no threads."""
    config = configuration.load()
    application = app.create_app(config)
    if config.storage.uploadpurging.enabled and not config.storage.readonly_enabled:
        maintenance.start(Context(), app.create_registry(config).driver, config.storage.uploadpurging)
    return application


def _place(config: Configuration) -> dict[str, Any]:
    """Return where to listen, in the server's words. Raises ConfigurationError where that cannot be."""
    tls = config.http.tls
    for key in ("certificate", "key", "clientca") if tls else ():
        _check_readable(f"http.tls.{key.replace('clientca', 'clientcas')}", getattr(tls, key))
    if config.http.net == "unix":
        return {"uds": Path(config.http.addr)}
    _check_free(config.http.interface, config.http.port)
    return {"address": config.http.interface, "port": config.http.port}


def _check_readable(key: str, path: str) -> None:
    try:
        if path:
            Path(path).open("rb").close()
    except OSError as error:
        raise ConfigurationError(f"{key}: cannot read {path}: {error.strerror}") from None


def _check_free(host: str, port: int) -> None:
    """Raise ConfigurationError where nothing can listen there; the server itself would only print a traceback."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(f"http.addr: cannot listen on {host}:{port}: {error.strerror}") from None


def _greet(config: Configuration) -> None:
    http = config.http
    scheme = "https" if http.tls else "http"
    where = f"{scheme}://{http.interface}:{http.port}{http.prefix or '/'}v2/" if http.net == "tcp" else http.addr
    root = config.storage.parameters.get("rootdirectory", "")
    stack = " → ".join([*(layer.name for layer in app.layers(config)), "core"])
    click.echo(f"registry-wsgi listens on {where}", err=True)
    click.echo(f"  storage   {config.storage.driver} {root}".rstrip(), err=True)
    click.echo(f"  layers    {stack}", err=True)
    if http.net == "tcp" and not _loopback(http.interface):
        click.echo("  warning   no access control, and not on loopback: whoever reaches it can push", err=True)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
