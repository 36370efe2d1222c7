"""Where a registry listens: a port or a socket, what is in the way of it, and what it says when it starts."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import stat
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from registry_wsgi.inspection import preflight
from tests.wire import Client
from tests.wsgi.commands import refusal, refusal_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Serve
    from tests.servers import Server


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with a short name: a socket's path has about a hundred bytes."""
    made = Path(tempfile.mkdtemp(prefix="rw"))
    yield made
    shutil.rmtree(made)


class OverSocket(http.client.HTTPConnection):
    """HTTP over a socket of the filesystem."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def ask(path: Path, method: str = "GET", target: str = "/v2/") -> http.client.HTTPResponse:
    with closing(OverSocket(path)) as connection:
        connection.request(method, target)
        answer = connection.getresponse()
        answer.read()
        return answer


def serve_on(serve: Serve, path: Path, *arguments: str) -> Server:
    def answers(_: Server) -> bool:
        try:
            return ask(path).status == 200
        except OSError:
            return False

    return serve(sections={"http": {"net": "unix", "addr": str(path)}}, arguments=arguments, answers=answers)


# ── a socket ──────────────────────────────────────────────────────────────────────────────────


def test_a_registry_listens_on_a_socket(serve: Serve, directory: Path) -> None:
    path = directory / "registry.sock"
    running = serve_on(serve, path)
    answer = ask(path, "POST", "/v2/a/blobs/uploads/")
    assert answer.status == 202
    assert answer.headers["Location"].startswith("/v2/a/blobs/uploads/")
    assert f"listens on {path}\n" in running.log_tail()
    assert running.stop() == 0
    assert not path.exists()


def test_several_workers_share_a_socket(serve: Serve, directory: Path) -> None:
    path = directory / "registry.sock"
    serve_on(serve, path, "--workers", "2")
    assert [ask(path).status for _ in range(20)] == [200] * 20


def test_the_file_that_a_killed_server_left_does_not_hinder_the_next(serve: Serve, directory: Path) -> None:
    path = directory / "registry.sock"
    serve_on(serve, path).kill()
    assert preflight.inspect(on_socket(path)) == ([], [])
    assert stat.S_ISSOCK(path.stat().st_mode)
    serve_on(serve, path)


def test_a_socket_on_which_somebody_listens_is_not_taken_away(directory: Path) -> None:
    path = directory / "registry.sock"
    with closing(socket.socket(socket.AF_UNIX)) as other:
        other.bind(str(path))
        other.listen()
        line = refusal(directory, on_socket(path))
        assert line == f"http.addr: cannot listen on {path}: Address already in use"
        assert path.exists()


def test_a_file_that_is_no_socket_is_not_taken_away(directory: Path) -> None:
    path = directory / "precious"
    path.write_text("content")
    assert refusal(directory, on_socket(path)) == f"http.addr: cannot listen on {path}: Address already in use"
    assert path.read_text() == "content"


def test_a_socket_that_cannot_be_made_is_one_line(directory: Path) -> None:
    absent, long = directory / "absent" / "registry.sock", directory / ("x" * 120)
    assert refusal(directory, on_socket(absent)) == f"http.addr: cannot listen on {absent}: No such file or directory"
    assert refusal(directory, on_socket(long)) == f"http.addr: cannot listen on {long}: AF_UNIX path too long"


def on_socket(path: Path) -> dict[str, Any]:
    return {"version": 0.1, "storage": "inmemory", "http": {"net": "unix", "addr": str(path)}}


# ── a port ────────────────────────────────────────────────────────────────────────────────────


def on(addr: str) -> dict[str, Any]:
    return {"version": 0.1, "storage": "inmemory", "http": {"addr": addr}}


def test_a_port_that_is_taken_is_one_line(tmp_path: Path, free_port: int) -> None:
    with closing(socket.create_server(("127.0.0.1", free_port))):
        line = refusal(tmp_path, on(f"127.0.0.1:{free_port}"))
    assert line == f"http.addr: cannot listen on 127.0.0.1:{free_port}: Address already in use"


def test_the_port_of_a_running_registry_is_taken(serve: Serve, tmp_path: Path) -> None:
    host = serve().host
    assert refusal(tmp_path, on(host)) == f"http.addr: cannot listen on {host}: Address already in use"


def test_an_address_of_another_machine_is_one_line(tmp_path: Path) -> None:
    line = refusal(tmp_path, on("192.0.2.1:5000"))  # RFC 5737: nobody has it
    assert line == "http.addr: cannot listen on 192.0.2.1:5000: Cannot assign requested address"


def test_a_name_that_is_no_host_is_one_line(tmp_path: Path) -> None:
    for name in ("no-host.invalid", "x" * 100):  # RFC 6761 §6.4
        assert refusal(tmp_path, on(f"{name}:5000")).startswith(f"http.addr: cannot listen on {name}:5000: ")


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
def test_a_registry_listens_on_other_names_of_this_machine(serve: Serve, free_port: int, host: str) -> None:
    if host == "[::1]" and not has_ipv6():
        pytest.skip("this machine has no IPv6")

    def answers(_: Server) -> bool:
        try:
            return Client(f"http://{host}:{free_port}").request("GET", "/v2/").status == 200
        except OSError:
            return False

    running = serve(sections={"http": {"addr": f"{host}:{free_port}"}}, answers=answers)
    assert f"listens on http://{host}:{free_port}/v2/" in running.log_tail()


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


# ── mistakes ──────────────────────────────────────────────────────────────────────────────────

BASE = {"version": 0.1, "storage": "inmemory"}


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ("version: 0.1\nstorage: [", "config.yml, line 2: invalid YAML: "),
        ("storage: inmemory", "version: required, but not given; allowed: 0.1"),
        ("", "version: required, but not given"),
        ("- a list", "the configuration: must be a mapping, not a list"),
        ({"version": 0.2, "storage": "inmemory"}, "version: must be 0.1, not 0.2"),
        ({"version": 0.1}, "storage: no storage configuration provided; "),
        ({"version": 0.1, "storage": {"inmemory": {}, "filesystem": {}}}, "storage: exactly one driver is allowed"),
        ({"version": 0.1, "storage": "floppy"}, "storage.floppy: "),
        ({"version": 0.1, "storage": {"filesystem": {"rootdir": "x"}}}, "storage.filesystem"),
        ({"version": 0.1, "storage": {"filesystem": {"rootdirectory": "/dev/null/x"}}}, "storage.filesystem: "),
        ({**BASE, "htpp": {}}, "htpp: unknown key; did you mean http?"),
        ({**BASE, "log": {"level": "loud"}}, "log.level: must be one of error, warn, info, debug, not loud"),
        ({**BASE, "log": {"hooks": [{"type": "mail"}]}}, "log.hooks[0].levels: required, but not given"),
        ({**BASE, "http": {"addr": "nowhere"}}, "http.addr: must be an address such as"),
        ({**BASE, "http": {"net": "unix"}}, "http.addr: must be the path of a socket where http.net is unix"),
        ({**BASE, "http": {"tls": {"certificate": "/c.pem"}}}, "http.tls.key: required, but not given"),
        ({**BASE, "middleware": {"http": [{"name": "absent"}]}}, "middleware.http[0]"),
        ({**BASE, "middleware": {"storage": [{"name": "redirect"}]}}, "middleware.storage[0]"),
        ({**BASE, "auth": {"none-such": {}}}, "auth"),
        (
            {**BASE, "storage": {"inmemory": {}, "cache": {"blobdescriptor": "absent"}}},
            "storage.cache.blobdescriptor: ",
        ),
        ({**BASE, "validation": {"manifests": {"urls": {"allow": ["("]}}}}, "validation.manifests.urls.allow"),
        ({**BASE, "compatibility": {"schema1": {"enabled": True, "signingkeyfile": "/absent"}}}, "compatibility."),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else json.dumps(value)[:60],
)
def test_a_mistake_in_the_configuration_is_one_line(tmp_path: Path, document: object, line: str) -> None:
    said = refusal(tmp_path, document)
    assert said.removeprefix(f"{tmp_path}/").startswith(line)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    absent = tmp_path / "absent.yml"
    assert refusal_of(["serve", str(absent)], tmp_path) == (
        f"cannot read the configuration {absent}: No such file or directory"
    )


def test_a_mistake_in_a_variable_is_one_line(tmp_path: Path) -> None:
    line = refusal(tmp_path, BASE, {"REGISTRY_STORAGE_DELETE_ENABLED": "ja"})
    assert line == "storage.delete.enabled: must be true or false, not ja (text)"
    line = refusal_of(["serve"], tmp_path, {"REGISTRY_HTTP_ADDR": "nowhere"})
    assert line.startswith("http.addr: must be an address such as")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may listen on every port and read every file")
def test_a_port_for_root_is_one_line(tmp_path: Path) -> None:
    assert refusal(tmp_path, on("127.0.0.1:1")) == "http.addr: cannot listen on 127.0.0.1:1: Permission denied"
