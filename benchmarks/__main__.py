"""`python -m benchmarks`: start the servers, let them take turns at each row, print the table."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from . import client, machine, plot, tools
from .content import make_image
from .errors import BenchmarkError
from .measures import Run
from .rows import ROWS, Row
from .servers import Peer, Server, Servers
from .table import Result, amount, render

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .content import Image

RESULTS = Path(__file__).parent / "results"
MEMORY = Path("/dev/shm")
WARM_UP_SECONDS = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks and return the exit status."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are ended here as well
    try:
        tools.require(["wrk", "ab", "taskset", "docker-registry", "nginx"])
        run(options)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    known = [row.name for row in ROWS]
    result = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    result.add_argument("--rounds", type=positive, default=5, help="runs of each row and server (%(default)s)")
    result.add_argument("--seconds", type=positive, default=4, help="length of one run under load (%(default)s)")
    result.add_argument("--rows", nargs="+", choices=known, default=known, metavar="ROW", help=", ".join(known))
    result.add_argument(
        "--peer", action="append", default=[], type=peer, metavar="NAME=URL", help="a registry that runs already"
    )
    result.add_argument("--directory", type=Path, help="where the storage goes for the run (the temporary directory)")
    result.add_argument("--json", type=Path, metavar="FILE", help="where the results go (benchmarks/results/DATE.json)")
    return result


def positive(text: str) -> int:
    """Return a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def peer(text: str) -> Peer:
    """Return the registry of `NAME=URL`."""
    name, _, url = text.partition("=")
    if not name or not url.startswith("http://"):
        raise ValueError(text)
    return Peer(name, url.rstrip("/"))


def run(options: argparse.Namespace) -> None:
    """Measure all rows, print the table and write the results."""
    server_core, load_core = cores()
    os.sched_setaffinity(0, {load_core})  # and with us wrk, ab and our own client
    with ExitStack() as stack:
        directory = temporary(stack, options.directory)
        memory = temporary(stack, MEMORY if os.access(MEMORY, os.W_OK) else None)
        facts = machine.facts(directory)
        facts["pinned"] = f"servers to core {server_core}, load to core {load_core}"
        print("\n".join(f"{name + ':':<17}{value}" for name, value in facts.items()), flush=True)
        image = make_image()
        servers = Servers(directory, memory, server_core, image)
        stack.callback(servers.stop)
        for each in options.peer:
            client.push(each, image)
            client.check(each, image)
        results = [measure(row, servers.get, image, options) for row in ROWS if row.name in options.rows]
    print(f"\n\n{render(results)}")
    for result in results:
        for note in dict.fromkeys(filter(None, result.notes())):
            print(f"{result.row.title}: {note}")
    print(f"\nratio: ours to theirs, the median of {options.rounds} pairs of runs; spread: the least and the most")
    document: dict[str, object] = {
        "machine": facts,
        "options": {"rounds": options.rounds, "seconds": options.seconds},
        "rows": [result.to_dict() for result in results],
    }
    path = options.json or RESULTS / (facts["date"].replace(":", "") + ".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    path.with_suffix(".svg").write_text(plot.draw(document))
    print(f"written to {path} and, as a picture, .svg")


def measure(row: Row, server: Callable[[str], Server | Peer], image: Image, options: argparse.Namespace) -> Result:
    """Let ours, theirs and the peers take turns at one row, each warmed up first; `server` finds one by its name."""
    result = Result(row)
    turns = [(server(row.ours), row.measure, result.ours)]
    turns.append((server(row.theirs), row.baseline or row.measure, result.theirs))
    for each in options.peer if row.peers else ():
        turns.append((each, row.measure, result.peers.setdefault(each.name, [])))
    print(f"\n{row.title}, {row.unit}", end=":", flush=True)
    for target, take, _ in () if row.cold else turns:
        take(Run(target, image, WARM_UP_SECONDS))
    for _ in range(min(options.rounds, row.most_rounds)):
        for target, take, samples in turns:
            samples.append(take(Run(target, image, options.seconds)))
            print(f" {amount(samples[-1].value)}", end="", flush=True)
    return result


def temporary(stack: ExitStack, parent: Path | None) -> Path:
    """Return a directory that is there until the stack is unwound."""
    path = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    stack.callback(shutil.rmtree, path, ignore_errors=True)  # a server that is ending may still write
    return path


def cores() -> tuple[int, int]:
    """Return the core of the servers and the core of the load."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise BenchmarkError("two cores are needed: one for the server, one for the load")
    return allowed[0], allowed[1]


if __name__ == "__main__":
    sys.exit(main())
