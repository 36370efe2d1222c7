"""`python -m benchmarks.profile`: a flame graph of a registry under the load of one row, by py-spy."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from . import tools
from .__main__ import MEMORY, RESULTS, cores, positive, temporary
from .content import make_image
from .errors import BenchmarkError
from .kinds import KINDS
from .measures import Run
from .rows import ROWS, Row
from .servers import Servers

PY_SPY = Path(sys.executable).with_name("py-spy")
SAMPLES_A_SECOND = 500


def main() -> int:
    """Record one run and return the exit status."""
    rows = {row.name: row for row in ROWS}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--row", choices=rows, default="get-tag", metavar="ROW", help=", ".join(rows))
    parser.add_argument("--server", choices=KINDS, help="another server than the row's own")
    parser.add_argument("--seconds", type=positive, default=10, help="length of the record (%(default)s)")
    parser.add_argument("--output", type=Path, help="where the picture goes (benchmarks/results/ROW.svg)")
    parser.add_argument("--native", action="store_true", help="show compiled code too, such as the server's")
    options = parser.parse_args()
    row = rows[options.row]
    output = options.output or RESULTS / f"profile-{row.name}.svg"
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        tools.require(["wrk", "ab", "taskset"])
        record(row, options.server or row.ours, output, options.seconds, native=options.native)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    print(f"written to {output}")
    return 0


def record(row: Row, server: str, output: Path, seconds: int, *, native: bool) -> None:
    """Load the server as the row does while py-spy looks at all its processes, and at nothing that waits."""
    server_core, load_core = cores()
    os.sched_setaffinity(0, {load_core})
    with ExitStack() as stack:
        image = make_image()
        memory = temporary(stack, MEMORY if os.access(MEMORY, os.W_OK) else None)
        servers = Servers(temporary(stack, None), memory, server_core, image)
        stack.callback(servers.stop)
        target = servers.get(server)
        row.measure(Run(target, image, 1))
        command = [str(PY_SPY), "record", "--subprocesses", "--format", "flamegraph", "--output", str(output)]
        command += ["--rate", str(SAMPLES_A_SECOND), "--duration", str(seconds), "--pid", str(target.pid)]
        spy = subprocess.Popen(
            command + (["--native"] if native else []), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        while spy.poll() is None:
            row.measure(Run(target, image, 1))
    if spy.returncode:
        raise BenchmarkError(f"py-spy failed: {spy.communicate()[0].strip()}")


if __name__ == "__main__":
    sys.exit(main())
