"""What is checked, and the words in which a check fails."""

from __future__ import annotations

import http.server
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.drivers.filesystem import FilesystemDriver
from registry_wsgi.errors import Unavailable
from registry_wsgi.health import checks
from registry_wsgi.health.monitor import outcome
from tests import storages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_an_empty_storage_is_well_and_can_be_written_to() -> None:
    driver = storages.new_driver()
    assert outcome(checks.storage_answers(driver)) == ""
    assert outcome(checks.storage_takes(driver)) == ""


def test_a_storage_that_cannot_be_written_to_says_why(tmp_path: Path) -> None:
    (tmp_path / "docker").write_text("in the way")
    driver = FilesystemDriver(rootdirectory=str(tmp_path))
    assert outcome(checks.storage_takes(driver)).startswith("the storage driver filesystem cannot write: ")


def test_a_cache_that_knows_nothing_is_well_and_one_that_is_away_is_not() -> None:
    class Away(InMemoryCacheProvider):
        def stat(self, ctx: object, digest: object) -> object:  # type: ignore[override]
            raise Unavailable("connection refused")

    assert outcome(checks.cache_answers(InMemoryCacheProvider())) == ""
    assert outcome(checks.cache_answers(Away())) == "connection refused"


def test_a_file_that_is_there_takes_the_registry_out_of_service(tmp_path: Path) -> None:
    check = checks.file_absent(str(tmp_path / "down"))
    assert outcome(check) == ""
    (tmp_path / "down").touch()
    assert outcome(check) == "file exists"


def test_a_port_on_which_nobody_listens_is_named(free_port: int) -> None:
    check = checks.port_answers(f"127.0.0.1:{free_port}", timeout=5)
    assert outcome(check) == f"cannot connect to 127.0.0.1:{free_port}: Connection refused"
    with closing(socket.create_server(("127.0.0.1", free_port))):
        assert outcome(check) == ""


@pytest.fixture
def site() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A site with a page and a redirect to it, and the requests that it got: method and token."""
    requests: list[tuple[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            requests.append((self.command, self.headers.get("X-Token", "")))
            self.send_response({"/moved": 302, "/page": 200}.get(self.path, 404))
            self.send_header("Location", "/page")
            self.end_headers()

        do_GET = do_HEAD  # what the library follows a redirect with depends on its version

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", requests
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/page", 200, ""),
        ("/moved", 200, ""),
        ("/absent", 404, ""),
        ("/absent", 200, "the status is 404, not 200"),
        ("/page", 204, "the status is 200, not 204"),
    ],
)
def test_a_url_is_asked_by_head_for_its_status(
    site: tuple[str, list[tuple[str, str]]], path: str, status: int, reason: str
) -> None:
    url, requests = site
    check = checks.url_answers(url + path, status=status, headers={"X-Token": ("a", "b")}, timeout=10)
    assert outcome(check) == reason
    assert requests[0] == ("HEAD", "a, b")


def test_a_url_where_nobody_answers_says_so(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}/"
    assert outcome(checks.url_answers(url, status=200, headers={}, timeout=5)) == "Connection refused"


def test_a_site_that_does_not_answer_in_time_says_so(free_port: int) -> None:
    with closing(socket.create_server(("127.0.0.1", free_port))):
        check = checks.url_answers(f"http://127.0.0.1:{free_port}/", status=200, headers={}, timeout=0.05)
        assert "timed out" in outcome(check)


def test_an_error_that_nobody_foresaw_is_a_failure_with_its_name() -> None:
    def check() -> None:
        raise KeyError("x")

    assert outcome(check) == "KeyError: 'x'"
