"""`make bench-s3`: pushes and pulls through one SeaweedFS, beside docker-registry in the same run, redirects off.

    python -m benchmarks.s3 [--size MB] [--rounds N]

The store counts as slow as it is for both. Calls are counted by a proxy before the store, in a run of their own.
Seconds of the processor are those of the registry alone: they depend less on what else a machine does.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil

from registry_wsgi import mediatypes
from tests import seaweed, servers
from tests.redis_servers import RedisServer
from tests.s3_proxy import proxied
from tests.wire import ACCEPT_ALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.s3_proxy import Proxy

MEGABYTE = 1_000_000
KINDS = ("granian", "docker-registry")
NAMES = {"granian": "registry-wsgi", "docker-registry": "docker-registry 2.8.2"}
CLIENTS = 4
SECONDS = 4.0


class Bench:
    """One registry; each method is a row's measurement, larger is better."""

    def __init__(self, server: servers.Server, content: bytes) -> None:
        self.host = server.host
        self.process = psutil.Process(server.process.pid)
        self.content = content
        self.pushes = 0

    def request(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None):
        parts = urlsplit(target)
        with closing(http.client.HTTPConnection(self.host, timeout=600)) as connection:
            connection.request(method, f"{parts.path}?{parts.query}", body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status < 300, (method, target, answer.status, content[:300])
            return answer, content

    def processor(self) -> float:
        """Return the seconds that the server's processes have had of the processor."""
        return sum(sum(each.cpu_times()[:2]) for each in (self.process, *self.process.children(recursive=True)))

    def push(self) -> float:
        """Push the blob as docker does, in one PATCH and a PUT; return MB/s."""
        self.pushes += 1
        content = f"{self.host} {self.pushes:09}".encode() + self.content
        self.digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        began = time.monotonic()
        answer, _ = self.request("POST", "/v2/bench/blobs/uploads/")
        answer, _ = self.request("PATCH", answer.headers["Location"], content)
        location = answer.headers["Location"]
        self.request("PUT", f"{location}{'&' if '?' in location else '?'}digest={self.digest}")
        return len(content) / MEGABYTE / (time.monotonic() - began)

    def pull(self) -> float:
        began = time.monotonic()
        _, content = self.request("GET", f"/v2/bench/blobs/{self.digest}")
        return len(content) / MEGABYTE / (time.monotonic() - began)

    def head(self) -> None:
        self.request("HEAD", f"/v2/bench/blobs/{self.digest}")

    def push_manifest(self) -> None:
        config = b"{}"
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        answer, _ = self.request("POST", "/v2/bench/blobs/uploads/")
        location = answer.headers["Location"]
        self.request("PUT", f"{location}{'&' if '?' in location else '?'}digest={digest}", config)
        manifest = {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 2},
            "layers": [],
        }
        headers = {"Content-Type": mediatypes.OCI_MANIFEST}
        answer, _ = self.request("PUT", "/v2/bench/manifests/v1", json.dumps(manifest).encode(), headers)
        self.manifest = answer.headers["Docker-Content-Digest"]

    def get_manifest(self) -> None:
        self.request("GET", "/v2/bench/manifests/v1", headers=ACCEPT_ALL)

    def get_manifest_by_digest(self) -> None:
        self.request("GET", f"/v2/bench/manifests/{self.manifest}", headers=ACCEPT_ALL)

    def manifests(self) -> float:
        """Return the GETs of a manifest by its tag that are answered in a second, by connections that stay open."""
        counts = [0] * CLIENTS
        until = time.monotonic() + SECONDS

        def ask(number: int) -> None:
            with closing(http.client.HTTPConnection(self.host, timeout=60)) as connection:
                while time.monotonic() < until:
                    connection.request("GET", "/v2/bench/manifests/v1", headers=ACCEPT_ALL)
                    answer = connection.getresponse()
                    answer.read()
                    assert answer.status == 200
                    counts[number] += 1

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / SECONDS


def started(stack: ExitStack, store: seaweed.SeaweedFS, endpoint: str, work: Path, content: bytes) -> dict[str, Bench]:
    """Start both registries, each with a Redis and a root of its own."""
    running = {}
    for kind in KINDS:
        own = work / f"{kind}-{len(list(work.iterdir()))}"
        own.mkdir()
        redis = RedisServer(own)
        redis.start()
        stack.callback(redis.stop)
        section = {
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "s3": store.section(f"/{own.name}", regionendpoint=endpoint),
                "redirect": {"disable": True},
                "cache": {"blobdescriptor": "redis"},
            },
            "redis": {"addr": redis.address},
        }
        server = servers.start(kind, own / "unused", own, sections=section)
        stack.callback(server.stop)
        running[kind] = Bench(server, content)
    return running


def show_speed(
    row: str,
    unit: str,
    benches: dict[str, Bench],
    measure: Callable[[Bench], float],
    rounds: int,
    *,
    seconds: float = 0,
) -> None:
    """Show the medians, the registries taking turns, and the time of the processor for a thousand units.

    A measurement takes `seconds`, or as long as a blob takes.
    """
    speed: dict[str, list[float]] = {kind: [] for kind in benches}
    processor: dict[str, list[float]] = {kind: [] for kind in benches}
    for _ in range(rounds):
        for kind, bench in benches.items():
            before = bench.processor()
            speed[kind].append(measure(bench))
            thousands = (speed[kind][-1] * seconds if seconds else len(bench.content) / MEGABYTE) / 1000
            processor[kind].append((bench.processor() - before) / thousands)
    show(f"{row}, {unit}/s", _medians(speed))
    show(f"… seconds of the processor for 1,000 {unit}", _medians(processor), less=True, digits=2)


def _medians(found: dict[str, list[float]]) -> dict[str, float]:
    return {kind: statistics.median(values) for kind, values in found.items()}


def show_calls(benches: dict[str, Bench], proxy: Proxy, size: int) -> None:
    """Show the calls of one request each, or of a few, one registry after the other."""

    def later(measure: Callable[[Bench], object]) -> Callable[[Bench], object]:
        def measure_later(bench: Bench) -> None:
            time.sleep(2)
            measure(bench)

        return measure_later

    measures: dict[str, Callable[[Bench], object]] = {
        f"a push of {size} MB": Bench.push,
        "its pull, at once": Bench.pull,
        "its pull, two seconds later": later(Bench.pull),
        "a HEAD of it, two seconds later": later(Bench.head),
        "pushing a config and a manifest": Bench.push_manifest,
        "a GET of the manifest by tag": Bench.get_manifest,
        "the next one": Bench.get_manifest,
        "one two seconds later": later(Bench.get_manifest),
        "a GET by digest, two seconds later": later(Bench.get_manifest_by_digest),
    }
    found: dict[str, dict[str, float]] = {row: {} for row in measures}
    for kind, bench in benches.items():
        for row, measure in measures.items():
            proxy.taken()
            measure(bench)
            found[row][kind] = float(sum(proxy.taken().values()))
    for row, counts in found.items():
        show(f"S3 calls of {row}", counts, less=True)


def show(row: str, found: dict[str, float], *, less: bool = False, digits: int = 0) -> None:
    ours, theirs = (found[kind] for kind in KINDS)
    better, worse = (theirs, ours) if less else (ours, theirs)
    ratio = better / worse if worse else 1.0 if not better else float("inf")
    print(f"| {row} | {ours:,.{digits}f} | {theirs:,.{digits}f} | {ratio:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.s3")
    parser.add_argument("--size", type=int, default=500, help="of the blob, in MB")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    content = b"\0" * (options.size * MEGABYTE)
    store = seaweed.shared()
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        print(f"| SeaweedFS behind both | {' | '.join(NAMES.values())} | ratio |\n|---|---|---|---|")
        benches = started(stack, store, store.endpoint, Path(directory), content)
        show_speed(f"push {options.size} MB, PATCH + PUT", "MB", benches, Bench.push, options.rounds)
        show_speed(f"pull {options.size} MB", "MB", benches, Bench.pull, options.rounds)
        for bench in benches.values():
            bench.push_manifest()
        row = "GET manifest by tag, with Redis"
        show_speed(row, "requests", benches, Bench.manifests, options.rounds, seconds=SECONDS)
        proxy = stack.enter_context(proxied(store.endpoint))
        counted = started(stack, store, proxy.endpoint, Path(directory), content)
        show_calls(counted, proxy, options.size)


if __name__ == "__main__":
    main()
