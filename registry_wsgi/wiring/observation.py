"""What is seen of a registry from outside: metrics, probes and the debug server, as a configuration asks for them."""

from __future__ import annotations

import logging
import multiprocessing.util
import os
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from registry_wsgi._version import __version__
from registry_wsgi.errors import ConfigurationError
from registry_wsgi.health import checks, probes
from registry_wsgi.health.monitor import MANUAL, Monitor, Watched
from registry_wsgi.metrics.events import measured
from registry_wsgi.metrics.families import BUILD, WORKERS
from registry_wsgi.metrics.measurements import Measurements, total
from registry_wsgi.metrics.members import Members, shared_directory
from registry_wsgi.middleware.compose import Layer
from registry_wsgi.middleware.health import HealthLayer
from registry_wsgi.middleware.metrics import MetricsLayer
from registry_wsgi.middleware.probes import ProbesLayer
from registry_wsgi.wiring import debugging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from registry_wsgi.config import Configuration, HealthCheck
    from registry_wsgi.health.checks import Check
    from registry_wsgi.interfaces import Outbox, StorageDriver, WSGIApplication
    from registry_wsgi.metrics.measurements import Snapshot
    from registry_wsgi.storage.registry import Registry

_DOWN = "manual Check"
_SECONDS = 1.0
"""How often a process tells the others what it has measured, and hears of them."""
_logger = logging.getLogger("registry_wsgi")


class Observation:
    """`measurements` is None where no metrics are wanted. Nothing runs before `start`."""

    def __init__(self, config: Configuration) -> None:
        debug = config.http.debug
        self._config = config
        self.measurements = Measurements() if debug.metrics and (debug.addr or debug.mainport) else None
        self._exposition = self._create_exposition() if self.measurements else None
        self._monitor = Monitor()
        self._readiness = probes.Readiness(self._monitor)
        self._watched: list[Watched] = []
        self._members: Members | None = None
        self._sources: list[Callable[[], Snapshot]] = []

    def layers(self) -> Iterator[Layer]:
        """Yield the layers that are needed, from the outside in."""
        if answers := dict(self._answers()):
            yield Layer("probes", ProbesLayer, {"answers": answers})
        if self.measurements is not None:
            yield Layer("metrics", MetricsLayer, {"measurements": self.measurements})
        if self._config.health.checks or self._config.http.debug.addr:
            yield Layer("health", HealthLayer, {"monitor": self._monitor})

    def look_at(self, registry: Registry, outbox: Outbox | None) -> None:
        """Make these what is checked and asked."""
        storage = self._config.storage
        takes = checks.storage_answers if storage.readonly_enabled else checks.storage_takes
        ready = {"storage": takes(registry.driver)}
        if registry.cache is not None:
            ready["cache"] = checks.cache_answers(registry.cache)
        if outbox is not None:
            ready["outbox"] = checks.outbox_answers(outbox)
            self._sources.append(partial(measured, outbox))
        self._readiness.checks = ready
        self._watched = [
            Watched(*_check(each, registry.driver), each.interval, each.threshold)
            for each in self._config.health.checks
        ]

    def start(self) -> None:
        """Begin to watch, in this process and in those that are forked from it. Raises ConfigurationError."""
        debug = self._config.http.debug
        if self.measurements is not None or debug.addr:
            self._members = Members(shared_directory(debug.addr or self._config.http.addr))
            self._members.join()
        self._run()
        os.register_at_fork(after_in_child=self._forked)

    def _answers(self) -> Iterator[tuple[str, WSGIApplication]]:
        health, debug = self._config.health, self._config.http.debug
        if health.live:
            yield health.live, probes.live
        if health.ready:
            yield health.ready, self._readiness
        if self._exposition is not None and debug.mainport:
            yield debug.metrics, self._exposition

    def _run(self) -> None:
        self._monitor.watch(self._watched)
        if self._members is not None:
            multiprocessing.util.Finalize(None, partial(self._leave, self._members), exitpriority=1)
            threading.Thread(target=self._share, args=(self._members,), daemon=True, name="members").start()

    def _forked(self) -> None:
        self._monitor.reset()
        if self.measurements is not None:
            self.measurements.reset()
        if self._members is not None:
            self._members.forked()
        self._run()

    def _share(self, members: Members) -> None:
        """Tell the other processes of this one, hear from them, and be the one that serves for all if nobody is."""
        serving = not self._config.http.debug.addr
        told = ""
        while True:
            try:
                members.publish(self._own())
                self._monitor.note(MANUAL, _DOWN if members.is_down else "")
                if not serving and members.try_to_be_the_one():
                    self._serve(members)
                    serving = True
                told = ""
            except OSError as error:
                if told != str(error):
                    told = str(error)
                    _logger.error("the debug server is not there for now", extra={"fields": {"error": told}})
            time.sleep(_SECONDS)

    def _serve(self, members: Members) -> None:
        """Raises OSError where the address is taken."""
        debug = self._config.http.debug

        def manual(down: bool) -> None:
            members.take_down() if down else members.take_up()
            self._monitor.note(MANUAL, _DOWN if down else "")

        metrics = (debug.metrics, self._exposition) if self._exposition is not None else None
        debugging.serve(debug, debugging.create_debug_app(self._monitor, manual, metrics))

    def _leave(self, members: Members) -> None:
        with suppress(OSError):  # somebody may have removed the directory
            members.leave(self._own())

    def _own(self) -> Snapshot:
        return self.measurements.snapshot() if self.measurements is not None else {}

    def _gather(self) -> Snapshot:
        """Return what all processes have measured, and what can be told of the registry as a whole."""
        alive = 1
        counted = self._own()
        if self._members is not None:
            self._members.publish(counted)
            counted, alive = self._members.gather()
        facts = {(BUILD.name, __version__): [1.0], (WORKERS.name,): [float(alive)]}
        return total([counted, facts, *(source() for source in self._sources)])

    def _create_exposition(self) -> WSGIApplication:
        try:
            from registry_wsgi.metrics.exposition import create_exposition  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ConfigurationError(
                "http.debug.prometheus.enabled: needs the package prometheus-client, which is not installed"
                "; install registry-wsgi[metrics]"
            ) from error
        return create_exposition(self._gather)


def _check(configured: HealthCheck, driver: StorageDriver) -> tuple[str, Check]:
    """Return the name that registry:2 gives the check, and the check."""
    target, timeout = configured.target, configured.timeout
    match configured.kind:
        case "storagedriver":
            return f"storagedriver_{driver.name}", checks.storage_answers(driver)
        case "file":
            return target, checks.file_absent(target)
        case "http":
            return target, checks.url_answers(
                target, status=configured.status, headers=configured.headers, timeout=timeout
            )
    return target, checks.port_answers(target, timeout=timeout)
