"""The steps of a push: log-in, a layer as docker sends it, a manifest under two tags."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.mediatypes import OCI_MANIFEST
from registry_wsgi.selftest.trial import Stop, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator

TAGS = ("self-test", "self-test-again")
CONFIG = b"{}"
_CONFIG_TYPE = "application/vnd.oci.empty.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_BLOCK = 256 * 1024
_PATIENCE = 3.0
_LONG_HEADER = 12 * 1024
"""Bytes of a token that names many repositories."""


def answers(trial: Trial) -> None:
    answer = trial.client.request("GET", "/v2/")
    if answer.status == 404:
        raise Stop("there is nothing at /v2/: a proxy must hand on this path unchanged")
    trial.expect(answer, 200, what="GET /v2/")
    if "registry/2.0" not in answer.headers.get("Docker-Distribution-API-Version", ""):
        trial.problems.append("the answer lacks Docker-Distribution-API-Version: is this a registry, and all of it?")


def takes_long_headers(trial: Trial) -> None:
    answer = trial.client.request("GET", "/v2/", headers={"X-Self-Test": "x" * _LONG_HEADER})
    if answer.status != 200:
        trial.notes.append(
            f"a header of {_LONG_HEADER} bytes is answered {answer.status}: a bearer token can be that long"
            " (gunicorn: limit_request_field_size; nginx: large_client_header_buffers)"
        )


def starts_an_upload(trial: Trial) -> None:
    answer = trial.client.request("POST", f"{trial.base}/blobs/uploads/")
    trial.expect(answer, 202, what="starting an upload")
    trial.check_url(answer.headers["Location"], "Location")
    trial.upload = answer.headers["Location"]


def streams_bodies(trial: Trial) -> None:
    """An upload that nobody started is refused at once, unless something waits for the whole body first."""
    unknown = f"{trial.base}/blobs/uploads/{uuid.uuid4()}"
    if not trial.client.answers_before_the_body(unknown, seconds=_PATIENCE):
        trial.problems.append(
            "your proxy buffers request bodies, or the server does: a large layer waits on its disk before it comes"
            " through; nginx: proxy_request_buffering off, proxy_http_version 1.1"
        )


def takes_a_layer(trial: Trial) -> None:
    answer = trial.client.request("PATCH", trial.upload, _blocks(trial.layer))
    trial.expect(answer, 202, what=f"a chunked PATCH of {len(trial.layer)} bytes")
    if answer.headers.get("Range", "").removeprefix("bytes=") != f"0-{len(trial.layer) - 1}":
        got = answer.headers.get("Range", "no Range")
        raise Stop(f"{len(trial.layer)} bytes were sent, and the registry got {got}: something cut the body off")
    trial.upload = answer.headers["Location"]
    answer = trial.client.request("PUT", _with_digest(trial.upload, trial.digest))
    trial.expect(answer, 201, what="finishing the upload")
    trial.check_url(answer.headers["Location"], "Location")


def takes_an_image(trial: Trial) -> None:
    config = Descriptor(Digest.of(CONFIG), len(CONFIG), _CONFIG_TYPE)
    answer = trial.client.request("POST", f"{trial.base}/blobs/uploads/")
    location = trial.expect(answer, 202, what="starting an upload").headers["Location"]
    answer = trial.client.request("PUT", _with_digest(location, config.digest), CONFIG)
    trial.expect(answer, 201, what="a PUT of a small blob")
    layer = Descriptor(trial.digest, len(trial.layer), _LAYER_TYPE)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.to_dict(),
        "layers": [layer.to_dict()],
    }
    trial.manifest = json.dumps(document).encode()
    trial.manifest_digest = Digest.of(trial.manifest)
    for tag in TAGS:
        target, headers = f"{trial.base}/manifests/{tag}", {"Content-Type": OCI_MANIFEST}
        answer = trial.client.request("PUT", target, trial.manifest, headers)
        trial.expect(answer, 201, what="the manifest")
        trial.check_url(answer.headers["Location"], "Location")


def _with_digest(location: str, digest: str) -> str:
    return f"{location}{'&' if urlsplit(location).query else '?'}digest={digest}"


def _blocks(content: bytes) -> Iterator[bytes]:
    for begin in range(0, len(content), _BLOCK):
        yield content[begin : begin + _BLOCK]


STEPS = (
    ("the registry answers", answers),
    ("long headers come through", takes_long_headers),
    ("an upload starts", starts_an_upload),
    ("bodies are streamed", streams_bodies),
    ("a layer is pushed", takes_a_layer),
    ("an image is pushed", takes_an_image),
)
