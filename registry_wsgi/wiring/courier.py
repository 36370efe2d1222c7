"""Who delivers events: of all the processes of a host one at a time.

A worker that has the outbox's claim starts a process of its own for the endpoints that are somewhere else, so that
requests do not share their interpreter with deliveries; a sink that has to be in the worker runs there, in a thread.
The claim belongs to both processes. When the worker dies, so does the process it started, and another takes over.
"""

from __future__ import annotations

import logging
import multiprocessing.util
import os
import pickle
import signal
import subprocess
import sys
import threading
import typing
import weakref
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from registry_wsgi import logs
from registry_wsgi.errors import Unavailable
from registry_wsgi.interfaces import EndpointStatistics
from registry_wsgi.notifications.delivery import Breaker, Delivery
from registry_wsgi.wiring.endpoints import create_outbox, create_sink, runs_in_process

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from registry_wsgi.config import Endpoint, Log, Notifications
    from registry_wsgi.interfaces import DeliveryClaim, Outbox

_CLAIM_SECONDS = 1.0
_WATCH_SECONDS = 0.2
_END_SECONDS = 3.0

_logger = logging.getLogger("registry_wsgi")


class Courier:
    """Has the events in `outbox` delivered, as long as this process is the one of its host that does."""

    def __init__(self, outbox: Outbox, notifications: Notifications, log: Log) -> None:
        self._outbox = outbox
        self._names = notifications.names
        self._here = [each for each in notifications.endpoints if runs_in_process(each)]
        there = tuple(each for each in notifications.endpoints if each not in self._here)
        self._elsewhere = replace(notifications, endpoints=there)
        self._log = log
        self._starting = threading.Lock()
        self._process = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, once in each process; a server may fork after the application was made, and threads are not forked."""
        if self._process == os.getpid():
            return
        with self._starting:
            if self._process != os.getpid():
                self._stopping = threading.Event()
                self._thread = threading.Thread(target=self._run, daemon=True, name="courier")
                self._thread.start()
                multiprocessing.util.Finalize(None, self.stop, exitpriority=5)
                self._process = os.getpid()

    def start_when_forked(self) -> None:
        """Begin in each process that is forked from this one."""
        os.register_at_fork(after_in_child=partial(_start_if_there, weakref.ref(self)))

    def stop(self) -> None:
        """End all deliveries; what is on its way may still arrive."""
        self._stopping.set()
        if self._thread is not None and self._process == os.getpid():
            self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                claim = self._outbox.claim()
                if claim is not None:
                    self._deliver(claim)
            except (OSError, Unavailable) as error:
                _logger.error("events cannot be delivered", extra={"fields": {"courier.error": str(error)}})
            self._stopping.wait(_CLAIM_SECONDS)

    def _deliver(self, claim: DeliveryClaim) -> None:
        """Deliver for as long as this process lives, and give up the claim at its end."""
        try:
            self._introduce()
            threads = _start(self._outbox, self._here, self._stopping)
            while not self._stopping.is_set():
                if self._elsewhere.endpoints:
                    self._watch(claim)
                self._stopping.wait(_CLAIM_SECONDS)
            for thread in threads:
                thread.join(_END_SECONDS)
        finally:
            claim.release()

    def _introduce(self) -> None:
        """Make the endpoints known in the outbox, and tell of what waits for others: they may be another registry's."""
        for name in self._names:
            self._outbox.count(name, EndpointStatistics())
        for name, statistics in self._outbox.statistics().items():
            if name not in self._names and statistics.pending:
                fields = {"endpoint.name": name, "endpoint.pending": statistics.pending}
                _logger.warning("events wait for an endpoint that is not configured", extra={"fields": fields})

    def _watch(self, claim: DeliveryClaim) -> None:
        """Run a process that delivers until this one ends, or that one does."""
        child = self._spawn(claim)
        try:
            while not self._stopping.wait(_WATCH_SECONDS):
                if child.poll() is not None:
                    fields = {"courier.status": child.returncode}
                    _logger.error("the process that delivers events ended", extra={"fields": fields})
                    return
        finally:
            _end(child)

    def _spawn(self, claim: DeliveryClaim) -> subprocess.Popen[bytes]:
        """Start the process that delivers to what is elsewhere."""
        child = subprocess.Popen(
            [sys.executable, "-m", "registry_wsgi.wiring.courier"],
            stdin=subprocess.PIPE,
            pass_fds=claim.files,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        with typing.cast("BinaryIO", child.stdin) as pipe:
            pickle.dump((os.getpid(), self._elsewhere, self._log), pipe)
        return child


def _start_if_there(reference: weakref.ref[Courier]) -> None:
    courier = reference()
    if courier is not None:
        courier.start()


def _start(outbox: Outbox, endpoints: Sequence[Endpoint], stopping: threading.Event) -> list[threading.Thread]:
    """Deliver to each endpoint in a thread of its own."""
    threads = []
    for endpoint in endpoints:
        breaker = Breaker(endpoint.threshold, endpoint.backoff)
        delivery = Delivery(outbox, endpoint.name, create_sink(endpoint), breaker)
        thread = threading.Thread(target=delivery.run, args=[stopping], daemon=True, name=f"events {endpoint.name}")
        thread.start()
        threads.append(thread)
    return threads


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def main() -> None:
    """Deliver what the worker's outbox has, until SIGTERM, or until the worker is gone."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all of a server's processes
    parent, notifications, log = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by the worker
    logs.configure(log.level, log.formatter, access_log=False)
    threads = _start(create_outbox(notifications), notifications.endpoints, stopping)
    while os.getppid() == parent and not stopping.wait(_WATCH_SECONDS):
        pass
    stopping.set()
    for thread in threads:
        thread.join(_END_SECONDS / len(threads))  # one that waits for an endpoint longer is left to the next process


if __name__ == "__main__":
    main()
