"""`make bench-s3`: pushes and pulls through one SeaweedFS, beside docker-registry in the same run, redirects off.

    python -m benchmarks.s3 [--size MB] [--rounds N]

The store counts as slow as it is for both. Calls are counted by a proxy before the store, in a run of their own.
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
        self.server = server
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
        self.request("PUT", "/v2/bench/manifests/v1", json.dumps(manifest).encode(), headers)

    def get_manifest(self) -> None:
        self.request("GET", "/v2/bench/manifests/v1", headers=ACCEPT_ALL)

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


def speed(benches: dict[str, Bench], measure: Callable[[Bench], float], rounds: int) -> dict[str, float]:
    """Return the medians, the registries taking turns."""
    found: dict[str, list[float]] = {kind: [] for kind in benches}
    for _ in range(rounds):
        for kind, bench in benches.items():
            found[kind].append(measure(bench))
    return {kind: statistics.median(values) for kind, values in found.items()}


def calls(benches: dict[str, Bench], proxy: Proxy, measure: Callable[[Bench], object]) -> dict[str, float]:
    """Return the calls of one request each."""
    found = {}
    for kind, bench in benches.items():
        proxy.taken()
        measure(bench)
        found[kind] = float(sum(proxy.taken().values()))
    return found


def show(row: str, found: dict[str, float], *, less: bool = False) -> None:
    ours, theirs = (found[kind] for kind in KINDS)
    ratio = (theirs / ours if less else ours / theirs) if ours and theirs else 0.0
    print(f"| {row} | {ours:,.0f} | {theirs:,.0f} | {ratio:.1f} |", flush=True)


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
        show(f"push {options.size} MB, PATCH + PUT, MB/s", speed(benches, Bench.push, options.rounds))
        show(f"pull {options.size} MB, MB/s", speed(benches, Bench.pull, options.rounds))
        for bench in benches.values():
            bench.push_manifest()
        show("GET manifest by tag, with Redis, requests/s", speed(benches, Bench.manifests, options.rounds))
        proxy = stack.enter_context(proxied(store.endpoint))
        counted = started(stack, store, proxy.endpoint, Path(directory), content)
        show(f"S3 calls of a push of {options.size} MB", calls(counted, proxy, Bench.push), less=True)
        show("S3 calls of its pull", calls(counted, proxy, Bench.pull), less=True)
        show("S3 calls of pushing a config and a manifest", calls(counted, proxy, Bench.push_manifest), less=True)
        show("S3 calls of a GET of a manifest by tag", calls(counted, proxy, Bench.get_manifest), less=True)


if __name__ == "__main__":
    main()
