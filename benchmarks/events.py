"""Pulls with events: what they cost the server, while another core delivers them."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

from registry_wsgi.notifications.sqlite import SQLiteOutbox

from . import sink
from .errors import BenchmarkError
from .measures import Run, Sample, Watch
from .processes import PROC, cpu_seconds, tree
from .servers import Server

if TYPE_CHECKING:
    from collections.abc import Callable

WARM_UP_SECONDS = 1
COURIER_SECONDS = 20.0


def beside_delivery(measure: Callable[[Run], Sample]) -> Callable[[Run], Sample]:
    """Return the measure of a server whose events are delivered on our core, in the time that the load leaves.

    Nothing waits to be delivered at first. Afterwards the server ends, and what still waits with it: it would hold up
    whoever has the next turn.
    """

    def measured(run: Run) -> Sample:
        server = run.target
        if not isinstance(server, Server) or server.outbox is None:
            raise BenchmarkError("events are measured of servers that are started here, with an endpoint")
        server.stop()
        shutil.rmtree(server.outbox, ignore_errors=True)
        server.start()
        try:
            courier = found_courier(server)
            for thread in tasks(courier):
                os.sched_setaffinity(thread, os.sched_getaffinity(0))
                os.setpriority(os.PRIO_PROCESS, thread, sink.NICE)
            measure(Run(server, run.image, WARM_UP_SECONDS))
            before = cpu_seconds(courier)
            with Watch(server.pid) as watch:
                sample = measure(run)
            delivering = cpu_seconds(courier) - before
            outbox = SQLiteOutbox(path=str(server.outbox))
            (known,) = outbox.statistics().values()
            outbox.close()
        finally:
            server.stop()
        raised = known.pending + known.sent + known.dropped
        backlog = f"backlog: {known.pending:,} of {raised:,} events wait, {known.dropped:,} were dropped"
        return Sample(sample.value, (watch.cpu - delivering) / watch.seconds, backlog)

    return measured


def tasks(pid: int) -> list[int]:
    """Return the threads of a process: each has a core and a priority of its own."""
    return [int(task.name) for task in (PROC / str(pid) / "task").iterdir()]


def found_courier(server: Server) -> int:
    """Return the process of the server that delivers, started when the server is, once it has a thread that does."""
    ends = time.monotonic() + COURIER_SECONDS
    while time.monotonic() < ends:
        for pid in tree(server.pid or 0):
            if b"registry_wsgi.wiring.courier" in (PROC / str(pid) / "cmdline").read_bytes() and len(tasks(pid)) > 1:
                return pid
        time.sleep(0.05)
    raise BenchmarkError(f"{server.name} has no process that delivers:\n{server.log_tail()}")
