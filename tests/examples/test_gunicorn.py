"""examples/gunicorn: its very files serve a registry."""

from __future__ import annotations

import configparser
import http.client
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import servers, skopeo, storages
from tests.wire import Client, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.examples.conftest import Start

EXAMPLE = Path(__file__).parents[2] / "examples" / "gunicorn"
CONFIGURED = {"REGISTRY_CONFIGURATION_PATH": str(EXAMPLE / "config.yml"), "WEB_CONCURRENCY": "2"}
SETTINGS = ("--config", "gunicorn.conf.py")


@pytest.fixture
def server(start_gunicorn: Start) -> servers.Server:
    return start_gunicorn("gunicorn", *SETTINGS, environment=CONFIGURED)


def test_an_image_is_pushed_and_pulled(server: servers.Server, tmp_path: Path) -> None:
    skopeo.round_trip(server.host, tmp_path)


def test_the_registry_is_configured_as_its_file_says(server: servers.Server, tmp_path: Path) -> None:
    client = Client(server.url)
    digest = client.push_blob("a/b", b"content")
    assert list(storages.files_at(tmp_path / "data"))
    answer = client.blob("a/b", digest)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.delete("a/b", "blobs", digest) == 202
    assert '"GET /v2/a/b/blobs/' in server.log.read_text()


def test_it_ends_on_request_without_delay_or_complaint(server: servers.Server) -> None:
    Client(server.url).push_blob("a/b", b"content")
    assert server.stop() == 0
    assert "level=error" not in server.log.read_text()
    assert "Traceback" not in server.log.read_text()


def test_an_upload_that_takes_longer_than_the_timeout_is_not_cut_off(start_gunicorn: Start) -> None:
    server = start_gunicorn("gunicorn", *SETTINGS, "--timeout", "2", environment=CONFIGURED)
    client, parts = Client(server.url), [b"x" * 1000] * 12

    def slowly() -> Iterator[bytes]:
        for part in parts:
            yield part
            time.sleep(0.5)

    location = client.start_upload("a/b")
    answer = client.request("PATCH", location, slowly())
    assert answer.status == 202
    content = b"".join(parts)
    answer = client.request("PUT", f"{answer.headers['Location']}?digest={digest_of(content)}", b"")
    assert answer.status == 201
    assert client.blob("a/b", digest_of(content)).body == content
    assert "WORKER TIMEOUT" not in server.log.read_text()


def test_an_upload_that_is_under_way_ends_well_when_gunicorn_is_asked_to_end(server: servers.Server) -> None:
    client = Client(server.url)
    location = client.start_upload("a/b")
    with closing(http.client.HTTPConnection(server.host, timeout=30)) as connection:
        connection.putrequest("PATCH", location.removeprefix(server.url))
        connection.putheader("Content-Length", "6")
        connection.endheaders()
        connection.send(b"abc")
        time.sleep(0.5)
        server.process.terminate()
        time.sleep(1)
        connection.send(b"def")
        answer = connection.getresponse()
        assert answer.status == 202
        assert answer.headers["Range"] == "0-5"
    assert server.process.wait(20) == 0


def test_a_long_token_is_taken(server: servers.Server) -> None:
    token = {"Authorization": "Bearer " + "x" * 60_000}
    assert Client(server.url).request("GET", "/v2/", headers=token).status == 200


def test_there_is_no_control_socket(start_gunicorn: Start, tmp_path: Path) -> None:
    start_gunicorn("gunicorn", *SETTINGS, environment=CONFIGURED | {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": ""})
    assert not list(tmp_path.rglob("*.ctl"))


def test_the_application_needs_no_settings_of_gunicorn(start_gunicorn: Start) -> None:
    server = start_gunicorn("gunicorn", "registry_wsgi:create_app()", "--no-control-socket", environment=CONFIGURED)
    client = Client(server.url)
    assert client.blob("a", client.push_blob("a", b"content")).body == b"content"


def test_a_configuration_that_cannot_be_used_is_told_in_the_log(start_gunicorn: Start) -> None:
    wrong = {"REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR": "memory"}
    with pytest.raises(AssertionError, match=r"storage\.cache\.blobdescriptor: unknown name 'memory'"):
        start_gunicorn("gunicorn", *SETTINGS, environment=CONFIGURED | wrong)


# ── the units of systemd ──────────────────────────────────────────────────────────────────────


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((EXAMPLE / name).read_text())
    return parser


AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_the_socket_of_systemd_is_taken(tmp_path: Path) -> None:
    """As sd_listen_fds(3) has it: the socket is descriptor 3, and LISTEN_PID is the process it is meant for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        log = tmp_path / "gunicorn.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-c", AS_SYSTEMD, str(listener.fileno())),
                    *(sys.executable, "-m", "gunicorn", *SETTINGS),
                ],
                cwd=EXAMPLE,
                env=CONFIGURED
                | {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(tmp_path / "data"), "PATH": "/usr/bin:/bin"},
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    server = servers.Server(f"http://127.0.0.1:{port}", process, EXAMPLE, log)
    try:
        server.wait_until_ready()
        client = Client(server.url)
        assert client.blob("a", client.push_blob("a", b"content")).body == b"content"
        assert server.stop() == 0
    finally:
        server.kill()


def test_the_units_name_the_files_of_the_example() -> None:
    service = unit("registry.service")["Service"]
    _, option, settings = service["ExecStart"].split()
    assert (option, Path(settings).name) == SETTINGS
    assert Path(service["Environment"].partition("=")[2]).name == "config.yml"
    assert Path(unit("registry-purge.service")["Service"]["ExecStart"].split()[-1]).name == "config.yml"
    assert service["StateDirectory"] == "registry"
    assert "rootdirectory: /var/lib/registry\n" in (EXAMPLE / "config.yml").read_text()


def test_systemd_waits_longer_than_gunicorn() -> None:
    settings: dict[str, object] = {}
    exec((EXAMPLE / "gunicorn.conf.py").read_text(), settings)
    assert int(unit("registry.service")["Service"]["TimeoutStopSec"]) > int(str(settings["graceful_timeout"]))


def test_the_command_that_purges_is_one(tmp_path: Path) -> None:
    words = unit("registry-purge.service")["Service"]["ExecStart"].split()
    assert words[1:] == ["purge-uploads", "/etc/registry/config.yml"]
    run = subprocess.run(
        [sys.executable, "-m", "registry_wsgi", words[1], str(EXAMPLE / "config.yml")],
        env={"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
