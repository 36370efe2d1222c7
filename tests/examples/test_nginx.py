"""examples/nginx: nginx in front, as its file says and as it must not be; `registry-wsgi self-test` tells which."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from registry_wsgi.selftest import Client as SelfTestClient
from tests.certificates import authority as new_authority
from tests.components import require
from tests.images import KB, MB, Layout
from tests.wire import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.certificates import Authority
    from tests.conftest import Serve

EXAMPLE = Path(__file__).parents[2] / "examples" / "nginx"
WRAPPER = """
daemon off;
{user}
pid {work}/nginx.pid;
error_log {work}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log {work}/access.log;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    {server}
}}
"""
BARE = """
server {{
    listen 127.0.0.1:{port}{tls};
    large_client_header_buffers 4 64k;
    location / {{ proxy_pass {url}; {settings} }}
}}
"""
UNLIMITED = "client_max_body_size 0;"
STREAMED = "proxy_request_buffering off; proxy_http_version 1.1;"
HOST = "proxy_set_header Host $http_host;"
GOOD = UNLIMITED + STREAMED + HOST


@contextmanager
def nginx(work: Path, server: str, port: int) -> Iterator[None]:
    """Run nginx with one server until the block ends."""
    program = require("nginx")
    user = "user root;" if os.geteuid() == 0 else ""
    config = work / "nginx.conf"
    config.write_text(WRAPPER.format(work=work, server=server, user=user))
    process = subprocess.Popen([program, "-c", str(config), "-p", str(work)], start_new_session=True)
    try:
        wait_for(port, process, work)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def wait_for(port: int, process: subprocess.Popen[bytes], work: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with closing(socket.create_connection(("127.0.0.1", port), 1)):
                return
        except OSError:
            assert process.poll() is None, (work / "error.log").read_text()
            assert time.monotonic() < deadline, (work / "error.log").read_text()
            time.sleep(0.03)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return new_authority(tmp_path)


@pytest.fixture
def example(serve: Serve, tmp_path: Path, free_port: int, authority: Authority) -> Iterator[str]:
    """The example's two files, with directories and ports of the test; give the URL of nginx."""
    data = tmp_path / "data"
    sections = yaml.safe_load((EXAMPLE / "config.yml").read_text().replace("/var/lib/registry", str(data)))
    del sections["http"]["addr"]
    registry = serve(data, sections=sections)
    pair = authority.issue("registry")
    changes = {
        "listen 443 ssl": f"listen 127.0.0.1:{free_port} ssl",
        "http://127.0.0.1:5000": registry.url,
        "/var/lib/registry/": f"{data}/",
        "/etc/registry/tls/registry.pem": str(pair.certificate),
        "/etc/registry/tls/registry.key": str(pair.key),
    }
    server = (EXAMPLE / "registry.conf").read_text()
    for ours, theirs in changes.items():
        assert ours in server
        server = server.replace(ours, theirs)
    with nginx(tmp_path, server, free_port):
        yield f"https://127.0.0.1:{free_port}"


def self_test(*arguments: str) -> tuple[int, str]:
    run = subprocess.run(
        [sys.executable, "-m", "registry_wsgi", "self-test", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.stderr == ""
    return run.returncode, run.stdout


def test_nothing_is_wrong_with_the_example(example: str, authority: Authority) -> None:
    status, output = self_test(example, "--cacert", str(authority.certificate))
    assert (status, re.findall("problem|note|not ok", output)) == (0, []), output
    assert output.count("ok") == 10


def test_skopeo_pushes_and_pulls_through_the_example(example: str, authority: Authority, tmp_path: Path) -> None:
    layout, pulled = Layout(tmp_path / "layout"), Layout(tmp_path / "pulled")
    layout.add_image([KB, 100 * KB, 20 * MB], "v1")
    reference = f"docker://{example.removeprefix('https://')}/example/image:v1"
    skopeo = (require("skopeo"), "--insecure-policy", "copy", "--preserve-digests", "--quiet")
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    (certificates / "ca.crt").write_bytes(authority.certificate.read_bytes())
    for options in (
        ("--dest-cert-dir", str(certificates), f"oci:{layout.directory}:v1", reference),
        ("--src-cert-dir", str(certificates), reference, f"oci:{pulled.directory}:v1"),
    ):
        subprocess.run([*skopeo, *options], check=True, timeout=120, capture_output=True)
    assert pulled.digests() == layout.digests()


def test_nginx_sends_large_blobs_by_itself(example: str, authority: Authority) -> None:
    client = SelfTestClient(example, cafile=str(authority.certificate))
    content = os.urandom(2 * MB)
    digest = digest_of(content)
    assert client.request("POST", f"/v2/a/blobs/uploads/?digest={digest}", content).status == 201
    target = f"/v2/a/blobs/{digest}"
    answer = client.request("GET", target)
    assert (answer.status, answer.body) == (200, content)
    expected = {"ETag": f'"{digest}"', "Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
    assert {name: answer.headers[name] for name in expected} == expected
    assert "X-Accel-Redirect" not in answer.headers
    part = client.request("GET", target, headers={"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, content[10:20])
    # The registry's own log tells that it sent nothing of the whole blob.
    assert (
        client.request("GET", f"/_registry/docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data").status
        == 404
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (UNLIMITED + HOST, "your proxy buffers request bodies"),
        (STREAMED + HOST, "client_max_body_size 0"),
        (UNLIMITED + STREAMED, "Link points at 127.0.0.1:"),
        (GOOD + "gzip on; gzip_types *; gzip_proxied any;", "layers arrive compressed once more"),
        (GOOD + "proxy_hide_header Docker-Content-Digest;", "a proxy removes headers it does not know"),
        (GOOD + "proxy_hide_header Location;", "has no Location header"),
        (GOOD + "return 404;", "a proxy must hand on this path unchanged"),
        (GOOD + "return 502;", "a proxy cannot reach the registry"),
        (GOOD + "return 200;", "is this a registry, and all of it?"),
    ],
    ids=["buffering", "size", "host", "gzip", "digest", "location", "path", "gateway", "another"],
)
def test_what_a_proxy_does_wrong_is_said_in_words(
    serve: Serve, tmp_path: Path, free_port: int, settings: str, words: str
) -> None:
    registry = serve(sections={"http": {"relativeurls": False}})
    server = BARE.format(port=free_port, tls="", url=registry.url, settings=settings)
    with nginx(tmp_path, server, free_port):
        status, output = self_test(f"http://127.0.0.1:{free_port}")
    assert (status, words in output) == (1, True), output


def test_a_location_that_leaves_tls_is_said_in_words(
    serve: Serve, tmp_path: Path, free_port: int, authority: Authority
) -> None:
    registry = serve(sections={"http": {"relativeurls": False}})
    pair = authority.issue("registry")
    server = BARE.format(port=free_port, tls=" ssl", url=registry.url, settings=GOOD)
    server = server.replace(
        "location /", f"ssl_certificate {pair.certificate}; ssl_certificate_key {pair.key}; location /"
    )
    with nginx(tmp_path, server, free_port):
        status, output = self_test(f"https://127.0.0.1:{free_port}", "--cacert", str(authority.certificate))
        assert (status, "Location points at http://, and you came by https://" in output) == (1, True), output
        status, output = self_test(f"https://127.0.0.1:{free_port}")
        assert (status, "is not trusted" in output) == (1, True), output
