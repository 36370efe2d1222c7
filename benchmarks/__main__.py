"""`python -m benchmarks`: start both registries, let them take turns, print the table."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from . import client, machine, tools
from .content import Image, make_image
from .errors import BenchmarkError
from .rivals import COMMANDS, Rival
from .rows import ROWS, Row
from .table import Result, render

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks and return the exit status."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are ended here as well
    try:
        tools.require(["wrk", "ab", "taskset", "docker-registry"])
        run(options)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    kinds = ", ".join(COMMANDS)
    known = [row.name for row in ROWS]
    result = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    result.add_argument("--rounds", type=positive, default=5, help="runs of each row and rival (%(default)s)")
    result.add_argument("--seconds", type=positive, default=4, help="length of one run under load (%(default)s)")
    result.add_argument("--rows", nargs="+", choices=known, default=known, metavar="ROW", help=", ".join(known))
    result.add_argument(
        "--rivals",
        nargs=2,
        choices=list(COMMANDS),
        default=list(COMMANDS),
        metavar="NAME",
        help=f"the two to compare, of: {kinds}; the same one twice shows the noise of the machine",
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


def run(options: argparse.Namespace) -> None:
    """Measure all rows, print the table and write the results."""
    server_core, load_core = cores()
    os.sched_setaffinity(0, {load_core})  # and with us wrk, ab and our own client
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory)))
        facts = machine.facts(directory)
        facts["pinned"] = f"servers to core {server_core}, load to core {load_core}"
        print("\n".join(f"{name + ':':<17}{value}" for name, value in facts.items()), flush=True)
        names = distinct(options.rivals)
        rivals = [
            stack.enter_context(Rival(name, kind, directory, server_core))
            for name, kind in zip(names, options.rivals, strict=True)
        ]
        image = make_image()
        for rival in rivals:
            client.push(rival.url, image)
            client.check(rival.url, image)
        chosen = [row for row in ROWS if row.name in options.rows]
        results = [measure(row, rivals, image, options) for row in chosen]
    print(f"\n{render(results, *names)}")
    print(f"\nratio: above 1.00, {names[0]} is ahead; spread: of the ratios of {options.rounds} pairs of runs")
    document: dict[str, object] = {
        "machine": facts,
        "options": {"rounds": options.rounds, "seconds": options.seconds},
        "rivals": names,
        "rows": [result.to_dict(*names) for result in results],
    }
    path = options.json or RESULTS / (facts["date"].replace(":", "") + ".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")
    print(f"written to {path}")


def measure(row: Row, rivals: Sequence[Rival], image: Image, options: argparse.Namespace) -> Result:
    """Let the rivals take turns at one row, each warmed up first."""
    result = Result(row.name, row.title, row.unit, row.less_is_better, {}, {})
    for rival in rivals:
        row.warm_up(rival, image, options.seconds)
        result.values[rival.name], result.busy[rival.name] = [], []
    print(f"\n{row.title}, {row.unit}", end=":", flush=True)
    for _ in range(options.rounds):
        for rival in rivals:
            sample = row.measure(rival, image, options.seconds)
            result.values[rival.name].append(sample.value)
            result.busy[rival.name].append(sample.busy)
            print(f" {sample.value:,.1f}", end="", flush=True)
    return result


def cores() -> tuple[int, int]:
    """Return the core of the servers and the core of the load."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise BenchmarkError("two cores are needed: one for the server, one for the load")
    return allowed[0], allowed[1]


def distinct(names: Sequence[str]) -> list[str]:
    """Return the names, told apart where one is there twice."""
    first, second = names
    return [first, second if second != first else f"{second} again"]


if __name__ == "__main__":
    sys.exit(main())
