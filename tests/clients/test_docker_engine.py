"""The docker engine's requests, one by one: an engine needs a kernel that a test machine may not give it.

The order and the headers are those of docker 20.10 and later, all on one kept-alive connection. What is
peculiar to docker is that it sends a layer as one PATCH with `Transfer-Encoding: chunked` and no length.
"""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry_wsgi import mediatypes
from tests.images import KB, MB, digest_of_chunks, random_chunks, to_json
from tests.wire import digest_of, with_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from email.message import Message

    from tests.servers import Server

USER_AGENT = "docker/24.0.5 go/go1.20.6 kernel/6.1.0 os/linux arch/amd64 UpstreamClient(Docker-Client/24.0.5)"
ACCEPT = ", ".join([*sorted(mediatypes.MANIFESTS), "application/json"])
GO_COPY_BUFFER = 32 * 1024  # io.Copy's, and so the size of the chunks on the wire
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass
class Engine:
    """One connection that sends what docker sends."""

    connection: http.client.HTTPConnection
    name: str

    def request(
        self, method: str, url: str, body: bytes | Iterable[bytes] | None = None, **headers: str
    ) -> tuple[int, Message, bytes]:
        path = url.removeprefix(f"http://{self.connection.host}:{self.connection.port}")
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        self.connection.request(method, path, body, {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"} | headers)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def push_blob(self, chunks: Iterable[bytes], digest: str, size: int) -> None:
        """HEAD, POST, PATCH with a chunked body, PUT with an empty one, HEAD."""
        assert self.request("HEAD", f"/v2/{self.name}/blobs/{digest}")[0] == 404
        status, headers, _ = self.request("POST", f"/v2/{self.name}/blobs/uploads/", b"")
        assert status == 202
        upload = headers["Docker-Upload-UUID"]
        assert upload

        status, headers, _ = self.request("PATCH", headers["Location"], chunks)
        assert status == 202
        assert headers["Docker-Upload-UUID"] == upload
        assert headers["Range"] == f"0-{size - 1}"

        status, headers, _ = self.request("PUT", with_query(headers["Location"], digest=digest), b"")
        assert status == 201
        assert headers["Docker-Content-Digest"] == digest
        status, headers, _ = self.request("HEAD", f"/v2/{self.name}/blobs/{digest}")
        assert status == 200
        assert headers["Content-Length"] == str(size)

    def mount_blob(self, digest: str, source: str) -> int:
        target = f"/v2/{self.name}/blobs/uploads/?from={source.replace('/', '%2F')}&mount={digest}"
        return self.request("POST", target, b"")[0]


def docker_chunks(size: int, seed: str) -> Iterator[bytes]:
    for chunk in random_chunks(size, seed):
        for start in range(0, len(chunk), GO_COPY_BUFFER):
            yield chunk[start : start + GO_COPY_BUFFER]


def descriptor(media_type: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "size": size, "digest": digest}


def test_an_image_pushed_as_docker_does_is_pulled_as_docker_does(registry: Server) -> None:
    sizes = [KB, 100 * KB, 10 * MB]
    layers = [(digest_of_chunks(docker_chunks(size, f"docker-{size}")), size) for size in sizes]
    config = to_json({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": mediatypes.DOCKER_MANIFEST,
            "config": descriptor(CONFIG, digest_of(config), len(config)),
            "layers": [descriptor(LAYER, digest, size) for digest, size in layers],
        },
        indent=3,  # as docker writes it
    ).encode()

    with closing(http.client.HTTPConnection(registry.host, timeout=60)) as connection:
        engine = Engine(connection, "docker/image")
        assert engine.request("GET", "/v2/")[0] == 200
        for digest, size in layers:
            engine.push_blob(docker_chunks(size, f"docker-{size}"), digest, size)
        engine.push_blob([config], digest_of(config), len(config))
        target = "/v2/docker/image/manifests/v1"
        status, headers, _ = engine.request("PUT", target, manifest, Content_Type=mediatypes.DOCKER_MANIFEST)
        assert status == 201
        assert headers["Docker-Content-Digest"] == digest_of(manifest)

        # docker asks for the digest that the tag has, then for the manifest, then for each blob.
        status, headers, _ = engine.request("HEAD", target, Accept=ACCEPT)
        assert (status, headers["Docker-Content-Digest"]) == (200, digest_of(manifest))
        by_digest = f"/v2/docker/image/manifests/{digest_of(manifest)}"
        status, headers, body = engine.request("GET", by_digest, Accept=ACCEPT)
        assert (status, headers["Content-Type"], body) == (200, mediatypes.DOCKER_MANIFEST, manifest)
        for digest, size in [*layers, (digest_of(config), len(config))]:
            status, headers, body = engine.request("GET", f"/v2/docker/image/blobs/{digest}")
            assert (status, int(headers["Content-Length"]), digest_of(body)) == (200, size, digest)


def test_a_layer_that_another_repository_has_is_mounted_instead_of_sent(registry: Server) -> None:
    content = b"".join(random_chunks(100 * KB, "docker-mount"))
    with closing(http.client.HTTPConnection(registry.host, timeout=60)) as connection:
        Engine(connection, "docker/base").push_blob([content], digest_of(content), len(content))
        engine = Engine(connection, "docker/derived")
        assert engine.mount_blob(digest_of(content), "docker/base") == 201
        assert engine.request("GET", f"/v2/docker/derived/blobs/{digest_of(content)}")[2] == content
        # What is nowhere is an ordinary upload then: docker goes on with the PATCH.
        assert engine.mount_blob(digest_of(b"nowhere"), "docker/base") == 202


def test_an_interrupted_pull_is_taken_up_where_it_ended(registry: Server) -> None:
    content = b"".join(random_chunks(MB, "docker-resume"))
    with closing(http.client.HTTPConnection(registry.host, timeout=60)) as connection:
        engine = Engine(connection, "docker/resume")
        engine.push_blob(docker_chunks(MB, "docker-resume"), digest_of(content), MB)
        url = f"/v2/docker/resume/blobs/{digest_of(content)}"
        status, headers, body = engine.request("GET", url, Range="bytes=600000-")
        assert status == 206
        assert headers["Content-Range"] == f"bytes 600000-999999/{MB}"
        assert body == content[600000:]
