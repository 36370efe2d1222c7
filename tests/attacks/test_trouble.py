"""Trouble on the machine, and clients that get in each other's way: real servers refuse, and go on when it is over."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from registry_wsgi import mediatypes
from tests import storages
from tests.images import to_json
from tests.waiting import until
from tests.wire import Client, digest_of, with_query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Serve
    from tests.servers import Server

MIB = 1024 * 1024
SECONDS = 60.0
NAME = "a/b"
MANIFEST = to_json(
    {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_MANIFEST,
        "config": {"mediaType": "application/json", "digest": digest_of(b"{}"), "size": 2},
        "layers": [],
    }
)


@pytest.fixture(params=["granian", "gthread"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 8 MiB."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    yield directory
    subprocess.run(["umount", "--lazy", str(directory)], check=True)


@storages.files_only("a small disk is mounted")
@pytest.mark.parametrize("way", ["POST", "PATCH", "PUT", "chunked"])
def test_a_full_disk_refuses_what_has_no_room_and_keeps_what_is_there(
    kind: str, way: str, small_disk: Path, serve: Serve
) -> None:
    client = Client(serve(small_disk, kind=kind).url)
    client.push_blob(NAME, b"{}")
    client.push_manifest(NAME, "v1", MANIFEST, mediatypes.OCI_MANIFEST)
    large = os.urandom(12 * MIB)
    if way == "POST":
        answer = client.request("POST", f"/v2/{NAME}/blobs/uploads/?digest={digest_of(large)}", large)
    else:
        location = client.start_upload(NAME)
        target = with_query(location, digest=digest_of(large)) if way == "PUT" else location
        body = iter([large]) if way == "chunked" else large
        answer = client.request("PUT" if way == "PUT" else "PATCH", target, body)
    assert answer.status == 503, answer.body
    assert client.manifest(NAME, "v1").body == MANIFEST
    assert client.blob(NAME, digest_of(large)).status == 404
    if way != "POST":  # nobody knows the upload of a POST: it is gone by itself
        assert client.request("DELETE", location).status == 204
    assert client.push_blob(NAME, large[: 2 * MIB]) == digest_of(large[: 2 * MIB])


def processes(server: Server) -> list[int]:
    """Return the ids of the server and of its workers."""
    found = [server.process.pid]
    for pid in found:
        with suppress(FileNotFoundError), open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            found += map(int, children.read().split())
    return found


def test_a_server_without_file_descriptors_goes_on_when_it_has_some_again(
    kind: str, tmp_path: Path, serve: Serve
) -> None:
    server = serve(tmp_path, kind=kind)
    client = Client(server.url)
    client.push_blob(NAME, b"{}")
    for pid in processes(server):
        used = max(map(int, os.listdir(f"/proc/{pid}/fd")))
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 6, hard))
    address = urlsplit(server.url)
    held = []
    for _ in range(40):
        connection = socket.create_connection((address.hostname, address.port), timeout=SECONDS)
        connection.sendall(b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1")
        held.append(connection)
    time.sleep(0.5)
    for connection in held:
        connection.close()
    for pid in processes(server):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(4096, hard), hard))

    def answers() -> bool:
        with suppress(OSError):
            return client.blob(NAME, digest_of(b"{}")).body == b"{}"
        return False

    until(answers, server.log_tail)
    assert client.push_blob(NAME, b"after") == digest_of(b"after")


def test_who_comes_into_an_upload_that_is_written_is_told_to_come_again(
    kind: str, tmp_path: Path, serve: Serve
) -> None:
    client = Client(serve(tmp_path, kind=kind).url)
    content = os.urandom(3 * MIB)
    location = client.start_upload(NAME)
    whole = {"Content-Length": str(len(content))}
    with client.writing("PATCH", location, whole, content[:MIB], location) as writing:
        for method, target, body in (
            ("PATCH", location, b"in between"),
            ("PUT", with_query(location, digest=digest_of(content)), b""),
            ("PUT", with_query(location, digest=digest_of(b"")), b"in between"),
            ("DELETE", location, None),
        ):
            answer = client.request(method, target, body)
            assert (answer.status, answer.headers["Retry-After"]) == (429, "1"), (method, target)
        assert client.request("GET", location).status == 204
        writing.sendall(content[MIB:])
        assert writing.recv(12) == b"HTTP/1.1 202"
    assert client.request("PUT", with_query(location, digest=digest_of(content))).status == 201
    assert client.blob(NAME, digest_of(content)).body == content


def test_a_pull_that_has_begun_ends_though_the_blob_is_deleted(kind: str, tmp_path: Path, serve: Serve) -> None:
    client = Client(serve(tmp_path, kind=kind).url)
    content = os.urandom(16 * MIB)
    digest = client.push_blob(NAME, content)
    address, port = client.host.split(":")
    with socket.create_connection((address, int(port)), timeout=SECONDS) as reading:
        reading.sendall(f"GET /v2/{NAME}/blobs/{digest} HTTP/1.1\r\nHost: {client.host}\r\n\r\n".encode())
        received = reading.recv(65536)
        assert client.delete(NAME, "blobs", digest) == 202
        assert client.blob(NAME, digest).status == 404
        while len(received.partition(b"\r\n\r\n")[2]) < len(content) and (block := reading.recv(1 << 20)):
            received += block
    assert received.partition(b"\r\n\r\n")[2] == content


@storages.files_only("links of the file system that lead nowhere")
def test_what_cannot_be_read_is_an_error_of_its_own_and_no_other_s(kind: str, tmp_path: Path, serve: Serve) -> None:
    """A link that leads to itself, a directory where a file should be, a bad block: damage that no request has done."""
    client = Client(serve(tmp_path, kind=kind).url)
    client.push_blob(NAME, b"{}")
    client.push_manifest(NAME, "v1", MANIFEST, mediatypes.OCI_MANIFEST)
    tags = tmp_path / "docker/registry/v2/repositories" / NAME / "_manifests/tags"
    for name in ("loop", "directory"):
        (tags / name / "current").mkdir(parents=True)
    (tags / "loop/current/link").symlink_to("link")
    (tags / "directory/current/link").mkdir()
    unreadable = client.push_manifest(NAME, "unreadable", MANIFEST + b" ", mediatypes.OCI_MANIFEST)
    data = tmp_path / f"docker/registry/v2/blobs/sha256/{unreadable[7:9]}/{unreadable[7:]}/data"
    data.unlink()
    data.symlink_to("/proc/self/mem")
    assert client.manifest(NAME, "unreadable").status == 503
    assert client.manifest(NAME, unreadable).status == 503
    assert client.delete(NAME, "manifests", unreadable) == 503
    assert client.manifest(NAME, "loop").status == 503
    assert client.manifest(NAME, "directory").status == 404
    assert client.manifest(NAME, "v1").body == MANIFEST
    assert client.tags(NAME).json()["tags"] == ["directory", "loop", "unreadable", "v1"]
