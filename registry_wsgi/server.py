"""Running the registry on granian, which parses HTTP and streams bodies in compiled code."""

from __future__ import annotations

import ctypes
import gc
import logging
import math
import multiprocessing.connection
import multiprocessing.util
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry_wsgi import app, maintenance
from registry_wsgi import config as configuration
from registry_wsgi.context import Context
from registry_wsgi.errors import ConfigurationError
from registry_wsgi.inspection import listening, overview
from registry_wsgi.wiring.notifier import create_notifier
from registry_wsgi.wiring.registry import create_registry

if TYPE_CHECKING:
    from registry_wsgi.config import Configuration
    from registry_wsgi.interfaces import WSGIApplication

_TARGET = "registry_wsgi.server:worker"
_THREADS = 512
"""The most requests that a worker has in hand, such as slow uploads; as many more wait. Threads are made when they are
needed: 64 uploads at 1 KB/s leave pulls answered in 0.4 ms. Fewer for the sake of the GIL do not pay: 8 are as fast
under load, and 2 answer a third less."""
_BUFFER = 64 * 1024
"""Bytes that granian reads from a connection at a time, and the longest head of a request. Over 16 uploads at once it
grows by 8 to 9 MB with this and blocks of 64 KiB. With its own 408 KiB and blocks of 256 KiB it would be some 12 MB
more, at 8 % less of the processor. Downloads take the same with either."""
_JEMALLOC = "tcache:false"
"""What granian's allocator is told: no stock of free memory for each thread. Over 16 uploads at once a worker grew by
1.5 MB less with that, and by as much less with one arena of glibc's, from which Python allocates, of 11 MB in all.
Requests and downloads take the same with either. Told to give free memory back at once (`dirty_decay_ms:0`) it takes
1 MB less still, and a download three times the processor: each of its blocks is new pages of the kernel's."""
_M_ARENA_MAX = -8
"""mallopt(3)"""
_END_SECONDS = 1
"""What a worker without requests needs to end."""


def run(config: Configuration, *, workers: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigurationError where `config` cannot be served."""
    spare_memory()
    try:
        from granian import Granian  # noqa: PLC0415 - an extra
        from granian.constants import Interfaces, SSLProtocols  # noqa: PLC0415
        from granian.http import HTTP1Settings  # noqa: PLC0415
        from granian.log import LogLevels  # noqa: PLC0415
    except ImportError:
        missing = "serve needs granian, which is not installed: pip install 'registry-wsgi[serve]'"
        raise ConfigurationError(missing) from None
    notifier = create_notifier(config)
    app.build(config, notifier=notifier)  # what cannot be built is said here, once, and not by every worker
    if notifier is not None:
        notifier.prepare()
    address = listening.check(config.http)
    click.echo("\n".join(overview.lines(config)), err=True)
    if workers > 1:
        _count_logins_together(config)
    tls = config.http.tls
    server = Granian(
        _TARGET,
        **({"uds": Path(address)} if config.http.net == "unix" else {"address": address, "port": config.http.port}),
        interface=Interfaces.WSGI,
        factory=True,
        workers=workers,
        blocking_threads=_THREADS,
        backpressure=2 * _THREADS,
        http1_settings=HTTP1Settings(max_buffer_size=_BUFFER),
        respawn_failed_workers=True,
        workers_kill_timeout=max(_END_SECONDS, math.ceil(config.http.draintimeout)),
        websockets=False,
        log_access=False,
        log_level=LogLevels.error,
        ssl_cert=Path(tls.certificate) if tls else None,
        ssl_key=Path(tls.key) if tls else None,
        ssl_protocol_min=SSLProtocols(tls.minimum) if tls else SSLProtocols.tls12,
        ssl_ca=Path(tls.clientca) if tls and tls.clientca else None,
        ssl_client_verify=bool(tls and tls.clientca),
    )
    try:
        server.serve()
    except SystemExit:
        # Where a signal goes to all processes at once, workers end before they are told to: no failure.
        if not server.interrupt_signal:
            raise


def spare_memory() -> None:
    """Have memory allocated sparingly, as far as the environment does not say how; granian must not be loaded yet.

    Threads take turns in Python, so that one arena holds nobody up.
    """
    os.environ.setdefault("_RJEM_MALLOC_CONF", _JEMALLOC)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's alone
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_M_ARENA_MAX, 1)


def _count_logins_together(config: Configuration) -> None:
    """Give the workers memory to count failed logins in, unless a file is configured; it ends with this process."""
    if not config.http.loginlimit.file and hasattr(os, "memfd_create"):
        memory = os.memfd_create("registry-wsgi-logins")
        os.environ["REGISTRY_HTTP_LOGINLIMIT_FILE"] = f"/proc/{os.getpid()}/fd/{memory}"


def worker() -> WSGIApplication:
    """Return what a worker serves, and start its threads here: a parent that forks may have none."""
    spare_memory()  # from Python 3.14 on it is no fork
    # A terminal sends SIGINT to the workers too. The server tells them to end by SIGTERM, and one of the two
    # right after the other would leave the worker hanging.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True, name="parent").start()
    multiprocessing.util.Finalize(None, logging.shutdown, exitpriority=0)  # a worker's end runs nothing of atexit
    config = configuration.load()
    application = app.create_app(config, start=True)
    if config.storage.uploadpurging.enabled and not config.storage.readonly_enabled:
        maintenance.start(Context(), create_registry(config).driver, config.storage.uploadpurging)
    # What the start has made stays: to look through its 39,000 objects for garbage stops all requests for 10 ms.
    gc.collect()
    gc.freeze()
    return application


def _end_with_parent() -> None:
    """End this worker when the server was killed: one that goes on alone would keep the address from the next."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
