"""What a client gets that does not accept a manifest as it is stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.api.call import Options
from registry_wsgi.api.negotiation import accepts
from registry_wsgi.manifests import conversion, parse
from registry_wsgi.manifests.signing import LibtrustSigner
from tests import storages
from tests.api.inprocess import InProcess
from tests.schema1 import ACCEPT_SCHEMA1
from tests.stack import stack_over
from tests.wire import digest_of

if TYPE_CHECKING:
    from tests.wire import Response

NAME = "a/b"
LAYER = b"layer"
CONFIG = json.dumps(
    {"architecture": "amd64", "history": [{}, {"empty_layer": True}], "rootfs": {"diff_ids": [digest_of(LAYER)]}}
).encode()
SIGNER = LibtrustSigner()
OFF = "schema 1 is off: compatibility.schema1.enabled is not true"


def descriptor(content: bytes, media_type: str, **members: object) -> dict[str, object]:
    return {"mediaType": media_type, "size": len(content), "digest": digest_of(content)} | members


def image(media_type: str, **members: object) -> bytes:
    config, layer = descriptor(CONFIG, "application/json"), descriptor(LAYER, "application/octet-stream")
    document = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]}
    return json.dumps(document | members).encode()


def index(media_type: str, *children: tuple[bytes, str]) -> bytes:
    manifests = [
        descriptor(child, json.loads(child)["mediaType"], platform={"architecture": architecture, "os": "linux"})
        for child, architecture in children
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}).encode()


DOCKER = image(mediatypes.DOCKER_MANIFEST)
ARM = image(mediatypes.DOCKER_MANIFEST, more="arm")
OCI = image(mediatypes.OCI_MANIFEST)
LIST = index(mediatypes.DOCKER_MANIFEST_LIST, (ARM, "arm64"), (DOCKER, "amd64"), (OCI, "amd64"))
LIST_WITHOUT = index(mediatypes.DOCKER_MANIFEST_LIST, (ARM, "arm64"))
INDEX = index(mediatypes.OCI_INDEX, (OCI, "amd64"))
STORED = {"docker": DOCKER, "arm": ARM, "oci": OCI, "list": LIST, "without": LIST_WITHOUT, "index": INDEX}


def filled(**options: Any) -> InProcess:
    """Return a client of a registry in which each of STORED is tagged."""
    driver = storages.new_driver()
    client = InProcess(stack_over(driver, signer=options.get("signer")))
    for blob in (CONFIG, LAYER):
        client.push_blob(NAME, blob)
    for tag, payload in STORED.items():
        client.push_manifest(NAME, tag, payload, json.loads(payload)["mediaType"])
    return InProcess(stack_over(driver, **options))


@pytest.fixture
def client() -> InProcess:
    return filled()


@pytest.fixture
def converting() -> InProcess:
    return filled(signer=SIGNER)


def get(client: InProcess, reference: str, *accept: str, **headers: str) -> Response:
    return client.request("GET", f"/v2/{NAME}/manifests/{reference}", headers={"Accept": ", ".join(accept)} | headers)


def detail(answer: Response) -> str:
    assert answer.status == 404
    (error,) = answer.json()["errors"]
    assert error["code"] == "MANIFEST_UNKNOWN"
    return error["detail"]


# ── the header ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("accept", "accepted"),
    [
        ("", True),
        ("*/*", True),
        ("application/*", True),
        ("text/html, */*;q=0.1", True),
        (mediatypes.OCI_MANIFEST, True),
        (mediatypes.OCI_MANIFEST.upper(), True),
        (f" text/html ,\t{mediatypes.OCI_MANIFEST} ; q=0.001", True),
        (f"*/*;q=0, {mediatypes.OCI_MANIFEST}", True),
        (f"application/*;q=0,{mediatypes.OCI_MANIFEST};q=1", True),
        ("text/*", False),
        (mediatypes.OCI_INDEX, False),
        (f"{mediatypes.OCI_MANIFEST}x", False),
        ("*/*;q=0", False),
        ("application/*; Q=0.000", False),
        (f"{mediatypes.OCI_MANIFEST};q=0, */*", False),
        (f"{mediatypes.OCI_MANIFEST};q=0, application/*", False),
        ("application/*;q=0, */*", False),
        (",;,", False),
    ],
)
def test_the_most_specific_range_decides(accept: str, accepted: bool) -> None:
    assert accepts(accept, mediatypes.OCI_MANIFEST) is accepted


@pytest.mark.parametrize("tag", STORED)
def test_a_client_that_says_nothing_or_accepts_anything_gets_what_is_stored(tag: str, client: InProcess) -> None:
    payload = STORED[tag]
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/*"}, {"Accept": json.loads(payload)["mediaType"]}):
        for reference in (tag, digest_of(payload)):
            answer = client.request("GET", f"/v2/{NAME}/manifests/{reference}", headers=headers)
            assert (answer.status, answer.body) == (200, payload)


# ── by digest ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tag", ["docker", "list", "without"])
def test_asked_by_digest_dockers_manifests_are_served_to_everyone(tag: str, converting: InProcess) -> None:
    answer = get(converting, digest_of(STORED[tag]), mediatypes.SCHEMA1_SIGNED)
    assert (answer.status, answer.body, answer.headers["Vary"]) == (200, STORED[tag], None)


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("oci", "OCI manifest found, but accept header does not support OCI manifests"),
        ("index", "OCI index found, but accept header does not support OCI indexes"),
    ],
)
def test_what_is_ocis_has_to_be_accepted_by_tag_and_by_digest(tag: str, reason: str, converting: InProcess) -> None:
    for reference in (tag, digest_of(STORED[tag])):
        answer = get(converting, reference, mediatypes.DOCKER_MANIFEST, mediatypes.DOCKER_MANIFEST_LIST)
        assert detail(answer) == reason
        assert answer.headers["Vary"] == "Accept"


# ── a list by tag ─────────────────────────────────────────────────────────────────────────────


def test_a_list_stands_for_its_first_image_of_linux_amd64(client: InProcess) -> None:
    answer = get(client, "list", mediatypes.DOCKER_MANIFEST)
    assert (answer.status, answer.body, answer.digest) == (200, DOCKER, digest_of(DOCKER))
    assert answer.headers["Content-Type"] == mediatypes.DOCKER_MANIFEST
    assert (answer.headers["ETag"], answer.headers["Vary"]) == (f'"{digest_of(DOCKER)}"', "Accept")


def test_a_list_without_such_an_image_is_unknown(client: InProcess) -> None:
    assert "no linux/amd64 image" in detail(get(client, "without", mediatypes.DOCKER_MANIFEST))


def test_a_list_whose_image_was_deleted_is_unknown(client: InProcess) -> None:
    client.delete(NAME, "manifests", digest_of(DOCKER))
    assert digest_of(DOCKER) in detail(get(client, "list", mediatypes.DOCKER_MANIFEST))


def test_the_condition_is_on_what_the_client_gets(client: InProcess) -> None:
    for accept, payload in ((mediatypes.DOCKER_MANIFEST, DOCKER), (mediatypes.DOCKER_MANIFEST_LIST, LIST)):
        answer = get(client, "list", accept, **{"If-None-Match": f'"{digest_of(payload)}"'})
        assert (answer.status, answer.digest, answer.headers["Vary"]) == (304, digest_of(payload), "Accept")
        other = get(client, "list", accept, **{"If-None-Match": f'"{digest_of(OCI)}"'})
        assert (other.status, other.body) == (200, payload)


# ── schema 2 as schema 1 ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tag", ["docker", "list"])
def test_a_client_of_schema_1_is_told_that_it_is_off(tag: str, client: InProcess) -> None:
    for accept in (ACCEPT_SCHEMA1["Accept"], "text/html"):
        answer = get(client, tag, accept)
        assert detail(answer) == f"the client accepts no schema 2, and {OFF}"
        assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize("tag", ["docker", "list"])
def test_a_client_of_schema_1_gets_it_where_it_is_on(tag: str, converting: InProcess) -> None:
    answer = get(converting, tag, ACCEPT_SCHEMA1["Accept"])
    assert (answer.status, answer.headers["Vary"]) == (200, "Accept")
    assert answer.headers["Content-Type"] == mediatypes.SCHEMA1_SIGNED
    manifest = parse(answer.body, mediatypes.SCHEMA1_SIGNED)
    SIGNER.verify(manifest)
    assert answer.digest == digest_of(manifest.payload)
    assert json.loads(manifest.payload)["name"] == NAME
    assert json.loads(manifest.payload)["tag"] == tag
    assert [layer.digest for layer in manifest.references] == [conversion.EMPTY_LAYER_DIGEST, digest_of(LAYER)]
    for layer in manifest.references:
        assert converting.blob(NAME, layer.digest).status == 200
    assert get(converting, tag, ACCEPT_SCHEMA1["Accept"]).body == answer.body
    assert get(converting, tag, mediatypes.DOCKER_MANIFEST).body == DOCKER


def test_a_read_only_registry_stores_no_empty_layer() -> None:
    client = filled(signer=SIGNER, options=Options(read_only=True))
    assert "read-only" in detail(get(client, "docker", ACCEPT_SCHEMA1["Accept"]))
    assert client.blob(NAME, conversion.EMPTY_LAYER_DIGEST).status == 404


@pytest.mark.parametrize(
    "config",
    [
        b"no json",
        b"{}",
        b'{"history": [], "rootfs": {}}',
        b'{"history": [{}, {}], "rootfs": {}}',
        b'{"history": [{}], "rootfs": null}',
        b'{"history": [1], "rootfs": {}}',
        b'{"history": [{"created": "yesterday"}, {"empty_layer": true}], "rootfs": {}}',
    ],
)
def test_an_image_that_cannot_be_converted_is_invalid(config: bytes, converting: InProcess) -> None:
    converting.push_blob(NAME, config)
    payload = image(mediatypes.DOCKER_MANIFEST, config=descriptor(config, "application/json"))
    converting.push_manifest(NAME, "odd", payload, mediatypes.DOCKER_MANIFEST)
    answer = get(converting, "odd", ACCEPT_SCHEMA1["Accept"])
    assert (answer.status, answer.json()["errors"][0]["code"]) == (400, "MANIFEST_INVALID")


def test_an_image_whose_configuration_was_deleted_is_invalid(converting: InProcess) -> None:
    converting.delete(NAME, "blobs", digest_of(CONFIG))
    answer = get(converting, "docker", ACCEPT_SCHEMA1["Accept"])
    assert (answer.status, answer.json()["errors"][0]["code"]) == (400, "MANIFEST_INVALID")
