"""Metrics as Prometheus scrapes them, of registries with several workers, on the servers that have such."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import storages
from tests.servers import free_port
from tests.waiting import until
from tests.wire import Client, digest_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

SERVERS = {
    "granian": ("granian", ("--workers", "2")),
    "gunicorn": ("gthread", ("--workers", "2")),
    "gunicorn, loaded before it forks": ("gthread", ("--workers", "2", "--preload")),
}


class Scrape:
    """What a metrics path says at one time, by name and labels."""

    def __init__(self, url: str, path: str = "/metrics") -> None:
        answer = Client(url).request("GET", path)
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        self.samples = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.body.decode())
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self.samples.get((f"registry_{name}", *sorted(labels.items())), 0.0)


def debugged(**more: Any) -> tuple[str, dict[str, Any]]:
    """Return the URL of a debug server, and the section that asks for it."""
    port = free_port()
    return f"http://127.0.0.1:{port}", {"addr": f":{port}", "prometheus": {"enabled": True, **more}}


def answers(url: str) -> bool:
    try:
        return Client(url).request("GET", "/debug/health").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("server", SERVERS)
def test_workers_count_together_and_one_that_is_killed_takes_no_count_with_it(serve: Serve, server: str) -> None:
    url, debug = debugged()
    kind, arguments = SERVERS[server]
    cache = {"cache": {"blobdescriptor": "inmemory"}}
    registry = serve(kind=kind, arguments=arguments, sections={"http": {"debug": debug}, "storage": cache})
    client = Client(registry.url)
    content = b"content"
    digest = digest_of(content)
    pushed = client.request("POST", f"/v2/a/blobs/uploads/?digest={digest}", content)
    assert pushed.status == 201
    for _ in range(40):
        assert client.request("GET", f"/v2/a/blobs/{digest}").body == content
    until(lambda: answers(url), "no debug server")

    def all_counted() -> bool:
        return Scrape(url)("http_requests_total", handler="blob", method="get", code="200") == 40

    until(all_counted, "not every request is counted")
    scraped = Scrape(url)
    assert scraped("http_response_size_bytes_sum", handler="blob") == 40 * len(content)
    assert scraped("http_request_size_bytes_sum", handler="blob_upload") == len(content)
    assert scraped("http_request_duration_seconds_count", handler="blob", method="get") == 40
    assert scraped("http_request_duration_seconds_bucket", handler="blob", method="get", le="+Inf") == 40
    assert scraped("storage_action_seconds_count", driver=storages.kinds()[0], action="PutContent") >= 1
    found = scraped("storage_cache_hits_total") + scraped("storage_cache_misses_total")
    assert scraped("storage_cache_requests_total") == found > 0
    misses = scraped("http_response_cache_misses_total")
    # Over a store no blob is remembered, for none can be looked after at little cost.
    assert 1 <= misses <= (40 if storages.is_chosen() else scraped("processes"))
    assert scraped("http_response_cache_hits_total") == 40 - misses

    workers = [child.pid for child in psutil.Process(registry.process.pid).children() if child.num_threads() > 1]
    assert len(workers) >= 2
    for worker in workers[:-1]:
        os.kill(worker, signal.SIGKILL)
    until(lambda: answers(url), "no other worker took over the debug server")
    until(all_counted, "a killed worker took its counts along")
    assert Scrape(url)("http_in_flight_requests", handler="blob") == 0


def test_an_upload_under_way_is_seen_through_the_other_worker(serve: Serve) -> None:
    url, debug = debugged()
    registry = serve(arguments=("--workers", "2"), sections={"http": {"debug": debug}})
    client = Client(registry.url)
    location = client.start_upload("a")
    until(lambda: answers(url), "no debug server")
    with client.begun("PATCH", location, {"Content-Length": "10"}) as connection:
        connection.sendall(b"12345")
        until(lambda: Scrape(url)("http_uploads_in_progress") == 1, "the upload is not seen")
        assert Scrape(url)("http_in_flight_requests", handler="blob_upload_chunk") == 1
        connection.sendall(b"67890")
        until(lambda: Scrape(url)("http_uploads_in_progress") == 0, "the upload does not end")


def test_metrics_are_on_the_main_port_where_that_is_asked_for_and_nowhere_else(serve: Serve) -> None:
    debug = {"prometheus": {"enabled": True, "mainport": True, "path": "/numbers"}}
    registry = serve(sections={"http": {"debug": debug}})
    Client(registry.url).request("GET", "/v2/_catalog")
    scraped = Scrape(registry.url, "/numbers")
    assert scraped("http_requests_total", handler="catalog", method="get", code="200") == 1
    assert scraped("processes") == 1


def test_the_debug_server_answers_nothing_of_the_registry_nor_the_registry_anything_of_it(serve: Serve) -> None:
    url, debug = debugged()
    registry = serve(sections={"http": {"debug": debug}})
    until(lambda: answers(url), "no debug server")
    for path in ("/metrics", "/debug/health"):
        assert Client(registry.url).request("GET", path).status == 404
    for path in ("/v2/", "/healthz", "/debug/pprof/", "/debug/health/down"):
        assert Client(url).request("GET", path).status == 404


def test_metrics_without_the_package_are_one_line(tmp_path: Path) -> None:
    program = """
import sys
sys.modules["prometheus_client"] = None
from registry_wsgi.cli import main
main(["check", sys.argv[1]])
"""
    file = tmp_path / "config.yml"
    file.write_text("{version: 0.1, storage: inmemory, http: {debug: {addr: ':5001', prometheus: {enabled: true}}}}")
    command = [sys.executable, "-c", program, str(file), "--running"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    line = "http.debug.prometheus.enabled: needs the package prometheus-client, which is not installed; "
    assert line + "install registry-wsgi[metrics]" in run.stdout
