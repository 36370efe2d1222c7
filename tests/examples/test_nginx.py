"""examples/nginx: nginx in front, as its file says and as it must not be; `registry-wsgi self-test` tells which."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from registry_wsgi.selftest import Client as SelfTestClient
from registry_wsgi.testing.certificates import authority as new_authority
from tests import skopeo
from tests.examples.proxies import nginx, self_test, server_of
from tests.images import KB, MB
from tests.wire import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.testing.certificates import Authority
    from tests.conftest import Serve

EXAMPLE = Path(__file__).parents[2] / "examples" / "nginx"
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
    changes = {"http://127.0.0.1:5000": registry.url, "/var/lib/registry/": f"{data}/"}
    with nginx(tmp_path, server_of(EXAMPLE / "registry.conf", free_port, pair, changes), free_port):
        yield f"https://127.0.0.1:{free_port}"


def test_nothing_is_wrong_with_the_example(example: str, authority: Authority) -> None:
    status, output = self_test(example, "--cacert", str(authority.certificate))
    assert (status, re.findall("problem|note|not ok", output)) == (0, []), output
    assert output.count("ok") == 10


def test_skopeo_pushes_and_pulls_through_the_example(example: str, authority: Authority, tmp_path: Path) -> None:
    host = example.removeprefix("https://")
    skopeo.round_trip(host, tmp_path, sizes=(KB, 100 * KB, 20 * MB), authority=authority.certificate)


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
