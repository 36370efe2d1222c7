"""The health of a registry that runs: probes, checks, and an operator who takes it down."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from webtest import TestApp

import registry_wsgi
from tests import storages
from tests.metrics.test_serving import answers, debugged
from tests.waiting import until
from tests.wire import Client

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.conftest import Serve

ACCESS = {"auth": {"silly": {"realm": "r", "service": "s"}}}


def app(**sections: Any) -> TestApp:
    return TestApp(registry_wsgi.create_app({"storage": storages.new_section(), **sections}))


def test_probes_need_no_login() -> None:
    registry = app(**ACCESS)
    registry.get("/v2/", status=401)
    assert registry.get("/healthz", status=200).json == {"status": "alive"}
    assert registry.get("/readyz", status=200).json == {"status": "ready", "checks": {"storage": {"ok": True}}}
    assert registry.head("/readyz", status=200).headers["Cache-Control"] == "no-store"


def test_a_registry_is_not_ready_where_its_storage_cannot_be_written_to(tmp_path: Path) -> None:
    storage = {"filesystem": {"rootdirectory": str(tmp_path / "data")}, "cache": {"blobdescriptor": "inmemory"}}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "docker").write_text("in the way")
    registry = app(storage=storage)
    answer = registry.get("/readyz", status=503).json
    assert (answer["status"], answer["checks"]["cache"]) == ("not ready", {"ok": True})
    assert answer["checks"]["storage"]["error"].startswith("the storage driver filesystem cannot write: ")
    registry.get("/healthz", status=200)


def test_a_registry_that_is_read_only_is_ready_without_writing(tmp_path: Path) -> None:
    storage = {"filesystem": {"rootdirectory": str(tmp_path)}, "maintenance": {"readonly": {"enabled": True}}}
    app(storage=storage).get("/readyz", status=200)
    assert list(tmp_path.iterdir()) == []


def test_many_probes_cost_one_write(tmp_path: Path) -> None:
    registry = app(storage={"filesystem": {"rootdirectory": str(tmp_path)}})
    registry.get("/readyz")
    shutil.rmtree(tmp_path / "docker")
    for _ in range(20):  # an answer holds for a second, and these take less
        registry.get("/readyz", status=200)
    assert len(list(tmp_path.rglob("probe"))) <= 1


def test_the_paths_of_probes_can_be_others_or_none() -> None:
    registry = app(health={"live": "/alive", "ready": ""})
    registry.get("/alive", status=200)
    registry.get("/healthz", status=404)
    registry.get("/readyz", status=404)


def host(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the host's"]


@pytest.mark.parametrize(("claims", "body"), [({}, b"the host's"), ({"health": True}, b'{"status": "alive"}\n')])
def test_a_mounted_registry_answers_probes_only_if_it_is_told_to(claims: dict[str, bool], body: bytes) -> None:
    mounted = TestApp(registry_wsgi.mount(host, {"storage": storages.new_section()}, open_access=True, **claims))
    assert mounted.get("/healthz").body == body


def test_while_a_check_fails_every_request_but_the_probes_is_refused(serve: Serve, tmp_path: Path) -> None:
    flag = tmp_path / "down"
    url, debug = debugged()
    check = {"file": [{"file": str(flag), "interval": "100ms"}]}
    registry = serve(sections={"http": {"debug": debug}, "health": check})
    client = Client(registry.url)
    until(lambda: answers(url), "no debug server")
    assert Client(url).request("GET", "/debug/health").json() == {}
    flag.touch()
    until(lambda: client.request("GET", "/").status == 503, "the check does not fail")
    refused = client.request("GET", "/v2/_catalog")
    assert (refused.status, refused.json()["errors"][0]["code"]) == (503, "UNAVAILABLE")
    assert refused.json()["errors"][0]["detail"] == "health check failed: please see /debug/health"
    told = Client(url).request("GET", "/debug/health")
    assert (told.status, told.json()) == (503, {str(flag): "file exists"})
    assert client.request("GET", "/healthz").status == 200
    not_ready = client.request("GET", "/readyz")
    assert (not_ready.status, not_ready.json()["checks"][str(flag)]["error"]) == (503, "file exists")
    flag.unlink()
    until(lambda: client.request("GET", "/v2/").status == 200, "the check does not recover")


@pytest.mark.parametrize("kind", ["granian", "gthread"])
def test_an_operator_takes_all_workers_down_and_up(serve: Serve, kind: str) -> None:
    url, debug = debugged()
    registry = serve(kind=kind, arguments=("--workers", "2"), sections={"http": {"debug": debug}})
    client = Client(registry.url)
    until(lambda: answers(url), "no debug server")

    def all_answer(status: int) -> bool:
        return {client.request("GET", "/v2/").status for _ in range(20)} == {status}

    assert Client(url).request("POST", "/debug/health/down").status == 200
    assert Client(url).request("GET", "/debug/health").json() == {"manual_http_status": "manual Check"}
    until(lambda: all_answer(503), "a worker goes on")
    assert Client(url).request("POST", "/debug/health/up").status == 200
    until(lambda: all_answer(200), "a worker stays down")


def test_from_another_host_nobody_takes_a_registry_down() -> None:
    from registry_wsgi.health.monitor import Monitor
    from registry_wsgi.wiring.debugging import create_debug_app

    said: list[bool] = []
    debug = TestApp(create_debug_app(Monitor(), said.append, None))
    debug.post("/debug/health/down", extra_environ={"REMOTE_ADDR": "192.0.2.1"}, status=403)
    debug.post("/debug/health/down", extra_environ={"REMOTE_ADDR": "127.0.0.1"}, status=200)
    debug.post("/debug/health/up", extra_environ={"REMOTE_ADDR": "::1"}, status=200)
    debug.get("/debug/health/up", status=404)
    assert said == [True, False]
