"""examples/grafana: every query of the dashboard is one that Prometheus answers, with data of a registry that runs."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import yaml

from tests.components import require
from tests.metrics.test_serving import answers, debugged
from tests.servers import free_port
from tests.waiting import until
from tests.wire import Client

if TYPE_CHECKING:
    from tests.conftest import Serve

EXAMPLE = Path(__file__).parents[2] / "examples" / "grafana"
DASHBOARD = json.loads((EXAMPLE / "registry-wsgi.json").read_text())
WINDOW = "30s"
"""What Grafana puts in the place of $__rate_interval: at least four times the interval of scrapes."""


def queries() -> list[str]:
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    assert len(found) >= len(DASHBOARD["panels"]) > 0
    return [query.replace("$__rate_interval", WINDOW) for query in found]


def scrape_configuration(target: str) -> dict[str, Any]:
    """Return the configuration that the example shows, for another address, and often."""
    blocks = (EXAMPLE / "README.md").read_text().split("```")
    shown = yaml.safe_load(next(block for block in blocks if block.startswith("yaml")).removeprefix("yaml"))
    shown["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    return {**shown, "global": {"scrape_interval": "1s", "scrape_timeout": "1s"}}


def test_every_query_of_the_dashboard_has_data(serve: Serve, tmp_path: Path) -> None:
    program = require("prometheus")
    url, debug = debugged()
    events = {
        "endpoints": [{"name": "away", "url": f"http://127.0.0.1:{free_port()}/"}],
        "outbox": {"path": str(tmp_path / "outbox")},
    }
    registry = serve(
        sections={
            "http": {"debug": debug},
            "storage": {"cache": {"blobdescriptor": "inmemory"}},
            "notifications": events,
        }
    )
    client = Client(registry.url)
    until(lambda: answers(url), "no debug server")
    config = tmp_path / "prometheus.yml"
    config.write_text(json.dumps(scrape_configuration(url.removeprefix("http://"))))
    port = free_port()
    with (tmp_path / "prometheus.log").open("wb") as log:
        prometheus = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        server = Client(f"http://127.0.0.1:{port}")
        missing = queries()
        deadline = time.monotonic() + 120
        while missing and time.monotonic() < deadline:
            digest = client.push_blob("a", str(time.monotonic()).encode())
            client.blob("a", digest)
            client.request("HEAD", f"/v2/a/blobs/{digest}")
            time.sleep(0.5)
            missing = [query for query in missing if not data(server, query)]
        assert not missing, (tmp_path / "prometheus.log").read_text()[-2000:]
    finally:
        prometheus.terminate()
        prometheus.wait(60)


def data(server: Client, query: str) -> list[Any]:
    """Return what Prometheus has for the query; nothing before it answers. A query that is none fails."""
    try:
        answer = server.request("GET", f"/api/v1/query?{urlencode({'query': query})}")
    except OSError:
        return []
    if answer.status == 503:  # it starts
        return []
    assert answer.status == 200, (query, answer.body)
    result: list[Any] = answer.json()["data"]["result"]
    return [row for row in result if row["value"][1] != "NaN"]
