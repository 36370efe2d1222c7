"""Pushing and pulling manifests of schema 1."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.manifests import parse
from registry_wsgi.manifests.signing import LibtrustSigner
from registry_wsgi.storage import paths
from tests import storages
from tests.api.inprocess import InProcess
from tests.schema1 import KINDS, payload, sign, signer
from tests.stack import stack_over
from tests.wire import Response, digest_of

if TYPE_CHECKING:
    from pathlib import Path

    from registry_wsgi.interfaces import StorageDriver

NAME = "a/b"
CTX = Context()
LAYERS = [digest_of(b"upper"), digest_of(b"lower")]
PAYLOAD = payload(NAME, LAYERS)
DIGEST = digest_of(PAYLOAD)
SIGNER = LibtrustSigner()


@pytest.fixture
def driver() -> StorageDriver:
    return storages.new_driver()


@pytest.fixture
def client(driver: StorageDriver) -> InProcess:
    """A client of a registry that takes schema 1 and has the layers."""
    client = InProcess(stack_over(driver, cache=InMemoryCacheProvider(), signer=SIGNER))
    for layer in (b"upper", b"lower"):
        client.push_blob(NAME, layer)
    return client


@pytest.fixture
def plain(driver: StorageDriver, client: InProcess) -> InProcess:
    """A client of another process on the same storage, which takes no schema 1 and has no key."""
    return InProcess(stack_over(driver))


def put(
    client: InProcess, content: bytes, reference: str = "v1", media_type: str = mediatypes.SCHEMA1_SIGNED
) -> Response:
    return client.request("PUT", f"/v2/{NAME}/manifests/{reference}", content, {"Content-Type": media_type})


def error(answer: Response) -> tuple[int, str, str]:
    found = answer.json()["errors"][0]
    return answer.status, found["code"], found["detail"]


# ── what is taken ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reference", ["v1", DIGEST], ids=["tag", "digest"])
def test_a_signed_manifest_comes_back_byte_by_byte_under_its_payloads_digest(
    reference: str, kind: str, client: InProcess, plain: InProcess, tmp_path: Path
) -> None:
    signed = sign(PAYLOAD, signer(tmp_path, kind))
    pushed = put(client, signed, reference)
    assert (pushed.status, pushed.digest) == (201, DIGEST), pushed.body
    assert pushed.headers["Location"].endswith(f"/manifests/{DIGEST}")
    for reader in (client, plain):
        for name in {reference, DIGEST}:
            answer = reader.manifest(NAME, name)
            assert (answer.status, answer.digest, answer.body) == (200, DIGEST, signed)
            assert answer.headers["Content-Type"] == mediatypes.SCHEMA1_SIGNED
            assert "Vary" not in answer.headers
            head = reader.request("HEAD", f"/v2/{NAME}/manifests/{name}")
            assert dict(head.headers) == dict(answer.headers)


@pytest.mark.parametrize("media_type", [mediatypes.SCHEMA1, "application/json; charset=utf-8", ""])
def test_the_document_tells_that_it_is_of_schema_1(media_type: str, client: InProcess) -> None:
    assert put(client, sign(PAYLOAD, SIGNER), media_type=media_type).status == 201


def test_payload_and_signatures_are_stored_apart(client: InProcess, driver: StorageDriver) -> None:
    put(client, sign(PAYLOAD, SIGNER))
    assert driver.get_content(CTX, paths.blob_data(Digest(DIGEST))) == PAYLOAD
    signature = Digest.of(SIGNER.sign(PAYLOAD))
    assert driver.get_content(CTX, paths.signature_link(NAME, Digest(DIGEST), signature)) == signature.encode()


def test_the_signatures_of_several_pushers_gather(client: InProcess, plain: InProcess, tmp_path: Path) -> None:
    pushers = [signer(tmp_path, kind) for kind in KINDS]
    for pusher in pushers:
        assert put(client, sign(PAYLOAD, pusher)).status == 201
    answer = plain.manifest(NAME, "v1")
    assert (answer.digest, answer.body) == (DIGEST, sign(PAYLOAD, *pushers))
    SIGNER.verify(parse(answer.body, mediatypes.SCHEMA1_SIGNED))


def test_the_tag_in_the_document_need_not_be_the_one_that_is_pushed(client: InProcess) -> None:
    assert put(client, sign(PAYLOAD, SIGNER), "another").status == 201


def test_a_manifest_whose_signatures_are_gone_is_signed_anew_where_there_is_a_key(
    client: InProcess, plain: InProcess, driver: StorageDriver, tmp_path: Path
) -> None:
    """Releases since 2.5 store no signatures, and their garbage collector deletes those of earlier ones."""
    pusher = signer(tmp_path)
    put(client, sign(PAYLOAD, pusher))
    signature = Digest.of(pusher.sign(PAYLOAD))
    for gone in (paths.blob_data(signature), paths.signatures(NAME, Digest(DIGEST))):
        driver.delete(CTX, gone)
        assert client.manifest(NAME, "v1").body == sign(PAYLOAD, SIGNER)
        answer = plain.manifest(NAME, "v1")
        assert (answer.status, answer.digest, answer.body) == (200, DIGEST, PAYLOAD)
        assert answer.headers["Content-Type"] == mediatypes.SCHEMA1


def test_a_damaged_signature_is_said_and_not_served(client: InProcess, driver: StorageDriver) -> None:
    put(client, sign(PAYLOAD, SIGNER))
    other = SIGNER.sign(payload(NAME, LAYERS[1:]))
    for damaged in (
        b"",
        b"{}",
        b'{"header":{},"signature":"","protected":"e30"}',
        other,
        json.dumps(PAYLOAD.decode()).encode(),
    ):
        driver.put_content(CTX, paths.blob_data(Digest.of(SIGNER.sign(PAYLOAD))), damaged)
        status, code, detail = error(client.manifest(NAME, "v1"))
        assert (status, code) == (500, "UNKNOWN")
        assert "damaged" in detail


def test_a_deleted_manifest_keeps_its_signatures_for_the_next_push(client: InProcess, tmp_path: Path) -> None:
    pusher = signer(tmp_path)
    put(client, sign(PAYLOAD, pusher))
    assert client.delete(NAME, "manifests", DIGEST) == 202
    assert client.manifest(NAME, DIGEST).status == 404
    put(client, sign(PAYLOAD, SIGNER))
    assert client.manifest(NAME, DIGEST).body == sign(PAYLOAD, SIGNER, pusher)


# ── what is refused ───────────────────────────────────────────────────────────────────────────


def test_schema_1_is_refused_with_a_reason_where_it_is_not_enabled(plain: InProcess) -> None:
    assert error(put(plain, sign(PAYLOAD, SIGNER))) == (
        400,
        "MANIFEST_INVALID",
        "schema 1 is off: compatibility.schema1.enabled is not true",
    )


def test_a_signature_that_does_not_verify_is_refused(client: InProcess) -> None:
    signed = sign(PAYLOAD, SIGNER).replace(b'"amd64"', b'"arm64"')
    assert error(put(client, signed)) == (400, "MANIFEST_UNVERIFIED", "signatures[0]: it does not verify")
    assert client.manifest(NAME, "v1").status == 404


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (PAYLOAD, "no signatures"),
        (sign(payload("other", LAYERS), SIGNER), "'other'"),
        (sign(payload("A", LAYERS), SIGNER), "name 'A'"),
        (sign(payload(NAME, LAYERS, history=[]), SIGNER), "history"),
        (sign(payload(NAME, LAYERS, history=[{}, {}]), SIGNER), "v1Compatibility"),
        (sign(payload(1, LAYERS), SIGNER), "name"),
        (sign(payload(NAME, LAYERS, fsLayers={}), SIGNER), "fsLayers"),
        (sign(payload(NAME, ["tarsum.v1+sha256:0", "b"]), SIGNER), "tarsum"),
        (sign(payload(NAME, LAYERS, schemaVersion=2), SIGNER), "schemaVersion"),
        (json.dumps({"schemaVersion": 2}).encode(), "schemaVersion"),
        (b"{", "JSON"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_with_a_reason(content: bytes, reason: str, client: InProcess) -> None:
    status, code, detail = error(put(client, content))
    assert (status, code) == (400, "MANIFEST_INVALID")
    assert reason in detail


def test_a_layer_that_is_not_there_is_named(client: InProcess) -> None:
    missing = digest_of(b"missing")
    answer = put(client, sign(payload(NAME, [missing, *LAYERS]), SIGNER))
    assert error(answer) == (400, "MANIFEST_BLOB_UNKNOWN", missing)


def test_the_digest_must_be_the_payloads(client: InProcess) -> None:
    signed = sign(PAYLOAD, SIGNER)
    assert error(put(client, signed, digest_of(signed)))[:2] == (400, "DIGEST_INVALID")


def test_a_document_of_one_schema_is_not_taken_as_the_other(client: InProcess) -> None:
    signed = sign(PAYLOAD, SIGNER)
    for media_type in sorted(mediatypes.MANIFESTS):
        assert error(put(client, signed, media_type=media_type))[:2] == (400, "MANIFEST_INVALID")
