"""Schema 1 in ours and in Debian's docker-registry 2.8.2: what one signs the other verifies, and both convert alike.

docker-registry stores no signatures and signs what it serves; ours keeps those of the pusher.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.manifests import parse
from registry_wsgi.manifests.signing import LibtrustSigner
from tests.images import to_json
from tests.schema1 import ACCEPT_SCHEMA1, KINDS, SIGNED_TYPE, payload, sign, signer
from tests.wire import Client, Response, digest_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

NAME = "library/old"
ENABLED = {"compatibility": {"schema1": {"enabled": True}}}
LAYERS = [b"the upper layer", b"the lower layer"]


@dataclass
class Pair:
    ours: Client
    theirs: Client


@pytest.fixture
def pair(serve: Serve, tmp_path: Path) -> Pair:
    """Two registries with storages of their own."""
    ours, theirs = (serve(tmp_path / kind, kind=kind, sections=ENABLED) for kind in ("granian", "docker-registry"))
    return Pair(Client(ours.url), Client(theirs.url))


def put(client: Client, signed: bytes, reference: str = "v1") -> Response:
    return client.request("PUT", f"/v2/{NAME}/manifests/{reference}", signed, SIGNED_TYPE)


def pull(client: Client, reference: str = "v1") -> Response:
    return client.request("GET", f"/v2/{NAME}/manifests/{reference}", headers=ACCEPT_SCHEMA1)


def manifest_of(client: Client, **members: object) -> bytes:
    return payload(NAME, [client.push_blob(NAME, layer) for layer in LAYERS], **members)


@pytest.mark.parametrize("kind", KINDS)
def test_libtrust_verifies_what_is_signed_here_with_any_kind_of_key(kind: str, pair: Pair, tmp_path: Path) -> None:
    content = manifest_of(pair.theirs)
    signed = sign(content, signer(tmp_path, kind), signer(tmp_path, "P-256", 7))
    answer = put(pair.theirs, signed)
    assert (answer.status, answer.digest) == (201, digest_of(content)), answer.body
    broken = signed.replace(b'"architecture": "amd64"', b'"architecture": "arm64"')
    assert put(pair.theirs, broken).status >= 400


def test_what_libtrust_signs_verifies_here_and_comes_back_byte_by_byte(pair: Pair, tmp_path: Path) -> None:
    content = manifest_of(pair.theirs)
    put(pair.theirs, sign(content, signer(tmp_path)))
    theirs = pull(pair.theirs)
    assert theirs.headers["Content-Type"] == mediatypes.SCHEMA1_SIGNED
    LibtrustSigner().verify(parse(theirs.body, mediatypes.SCHEMA1_SIGNED))

    assert manifest_of(pair.ours) == content
    assert put(pair.ours, theirs.body).status == 201
    assert pull(pair.ours).body == theirs.body


def test_a_manifest_that_docker_registry_stored_unsigned_is_signed_here(serve: Serve, tmp_path: Path) -> None:
    ours, theirs = (
        Client(serve(tmp_path / "data", kind=kind, sections=ENABLED).url) for kind in ("granian", "docker-registry")
    )
    content = manifest_of(theirs)
    put(theirs, sign(content, signer(tmp_path)))
    answer = pull(ours)
    manifest = parse(answer.body, answer.headers["Content-Type"])
    LibtrustSigner().verify(manifest)
    assert (manifest.payload, answer.digest) == (content, digest_of(content))
    # And the other way round: signatures that are stored are nothing that docker-registry stumbles over.
    put(ours, sign(content, signer(tmp_path)), "v2")
    assert pull(theirs, "v2").digest == digest_of(content)


IMAGE = {
    "architecture": "amd64",
    "os": "linux",
    "config": {"Env": ["A=<&>", "B=\u00e4\u2028"], "Cmd": None, "n": 1.50, "Labels": {"z": "1", "a": "2"}},
    "created": "2016-02-03T04:05:06.789000Z",
    "docker_version": "1.10",
}
HISTORY = [
    {
        "created": "2015-10-31T22:22:54.690000000Z",
        "created_by": "/bin/sh -c #(nop) ADD file:a3bc1e842b69636f9df5256c49",
    },
    {"created": "2015-10-31T22:22:55Z", "created_by": "/bin/sh -c <x> && y", "empty_layer": True, "author": "A & B"},
    {"created": "2015-10-31T22:22:56.100+02:00", "created_by": "sh", "comment": "c"},
]
EMPTY = {"created": "2015-10-31T22:22:57.000Z", "created_by": "CMD", "empty_layer": True}


def push_schema2(client: Client, config: dict[str, Any], tag: str, *, indent: int | None = None) -> None:
    text = json.dumps(config, indent=indent).encode()
    documents = [("application/vnd.docker.container.image.v1+json", text)]
    documents += [("application/vnd.docker.image.rootfs.diff.tar.gzip", layer) for layer in reversed(LAYERS)]
    described = [
        {"mediaType": media_type, "size": len(content), "digest": client.push_blob(NAME, content)}
        for media_type, content in documents
    ]
    document = {"schemaVersion": 2, "mediaType": mediatypes.DOCKER_MANIFEST}
    manifest = to_json(document | {"config": described[0], "layers": described[1:]})
    client.push_manifest(NAME, tag, manifest, mediatypes.DOCKER_MANIFEST)


@pytest.mark.parametrize(
    ("history", "root"),
    [
        (HISTORY, {}),
        ([*HISTORY, EMPTY], {}),
        ([EMPTY, *HISTORY], {}),
        (HISTORY, {"base_layer": "windowsservercore"}),
        ([HISTORY[0], {}], {}),
    ],
    ids=["a layer on top", "nothing on top", "nothing below", "a base of Windows", "little known"],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_schema_2_is_converted_into_the_same_bytes(
    history: list[dict[str, Any]], root: dict[str, Any], indent: int | None, pair: Pair
) -> None:
    rootfs = {"type": "layers", "diff_ids": [digest_of(layer) for layer in LAYERS], **root}
    config = IMAGE | {"history": history, "rootfs": rootfs}
    answers = []
    for client in (pair.ours, pair.theirs):
        push_schema2(client, config, "v2", indent=indent)
        answers.append(pull(client, "v2"))
    ours, theirs = (parse(answer.body, answer.headers["Content-Type"]) for answer in answers)
    assert ours.payload.decode() == theirs.payload.decode()
    assert answers[0].digest == answers[1].digest == digest_of(ours.payload)
    LibtrustSigner().verify(ours)
    for layer in ours.references:
        assert pair.ours.blob(NAME, layer.digest).body == pair.theirs.blob(NAME, layer.digest).body
