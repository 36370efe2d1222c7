"""Which request raises which events: registry:2's, told by the whole stack with what each of them says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from webtest import TestApp

from registry_wsgi import mediatypes
from registry_wsgi.api.call import Options
from registry_wsgi.api.core import create_core
from registry_wsgi.descriptor import Digest
from registry_wsgi.drivers.redirect import RedirectMiddleware
from registry_wsgi.manifests.signing import LibtrustSigner
from registry_wsgi.middleware.compose import Layer, compose
from registry_wsgi.middleware.notifications import NotificationsLayer
from registry_wsgi.middleware.tracing import TracingLayer
from registry_wsgi.notifications.documents import document
from registry_wsgi.notifications.inmemory import InMemoryOutbox
from registry_wsgi.notifications.intake import Intake
from registry_wsgi.notifications.packing import Interest, Packing
from registry_wsgi.notifications.records import unpack
from registry_wsgi.storage.registry import Registry
from tests import storages
from tests.stack import image_manifest, push_blob

if TYPE_CHECKING:
    from registry_wsgi.interfaces import StorageDriver

NAME = "a/b"
OCTETS = "application/octet-stream"
LAYER = b"a layer"
IMAGE = {
    "architecture": "amd64",
    "os": "linux",
    "rootfs": {"type": "layers", "diff_ids": [Digest.of(LAYER)]},
    "history": [{"created_by": "this"}, {"created_by": "nothing", "empty_layer": True}],
}
CONFIG = json.dumps(IMAGE).encode()
EMPTY_LAYER = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": mediatypes.DOCKER_MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(CONFIG),
            "digest": Digest.of(CONFIG),
        },
        "layers": [{"mediaType": OCTETS, "size": len(LAYER), "digest": Digest.of(LAYER)}],
    }
).encode()
LIST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": mediatypes.DOCKER_MANIFEST_LIST,
        "manifests": [
            {
                "mediaType": mediatypes.DOCKER_MANIFEST,
                "size": len(MANIFEST),
                "digest": Digest.of(MANIFEST),
                "platform": {"architecture": "amd64", "os": "linux"},
            }
        ],
    }
).encode()


@dataclass
class Observed:
    """A registry, and the events that its requests raised."""

    outbox: InMemoryOutbox = field(default_factory=InMemoryOutbox)
    driver: StorageDriver = field(default_factory=storages.new_driver)
    redirect: bool = False

    def __post_init__(self) -> None:
        self.intake = Intake(self.outbox, lambda: Packing([Interest("all")], addr="here:5000", references=True))
        registry = Registry(self.driver, delete_enabled=True, signer=LibtrustSigner())
        options = {"intake": self.intake, "deliver": lambda: None}
        layers = [Layer("tracing", TracingLayer), Layer("notifications", NotificationsLayer, options)]
        self.app = TestApp(compose(create_core(registry, Options(redirect=self.redirect)), layers))

    def taken(self) -> list[dict[str, Any]]:
        """Return the events since this was last asked, as registry:2 writes them."""
        self.intake.flush()
        parcels = self.outbox.oldest("all", 1000)
        if parcels:
            self.outbox.settle("all", parcels[-1], parcels[-1].count)
        return [document(event) for parcel in parcels for event in unpack(parcel.content)]

    def push_image(self) -> None:
        for content in (LAYER, CONFIG):
            push_blob(self.app, NAME, content)
        self.put(MANIFEST, "v1")
        self.put(LIST, "list")

    def put(self, payload: bytes, reference: str) -> None:
        media_type = json.loads(payload)["mediaType"]
        self.app.put(f"/v2/{NAME}/manifests/{reference}", payload, headers={"Content-Type": media_type}, status=201)


@pytest.fixture
def observed() -> Observed:
    observed = Observed()
    observed.push_image()
    observed.taken()
    return observed


def blob(content: bytes, repository: str = NAME, **more: object) -> dict[str, object]:
    digest = Digest.of(content)
    url = f"http://localhost:80/v2/{repository}/blobs/{digest}"
    return {
        "mediaType": OCTETS,
        "size": len(content),
        "digest": digest,
        "length": len(content),
        "repository": repository,
        "url": url,
        **more,
    }


def manifest(payload: bytes, **more: object) -> dict[str, object]:
    parsed = json.loads(payload)
    listed = parsed.get("manifests") or [parsed["config"], *parsed["layers"]]
    url = f"http://localhost:80/v2/{NAME}/manifests/{Digest.of(payload)}"
    return {
        "mediaType": parsed["mediaType"],
        "size": len(payload),
        "digest": Digest.of(payload),
        "length": len(payload),
        "repository": NAME,
        "url": url,
        # As docker-registry 2.8 has it: without the platforms of a list.
        "references": [{key: each[key] for key in ("mediaType", "size", "digest")} for each in listed],
        **more,
    }


CONTENT = b"new content"
OCI = image_manifest(Digest.of(CONFIG), Digest.of(LAYER))
BLOB = f"/v2/{NAME}/blobs/{Digest.of(LAYER)}"
MANIFESTS = f"/v2/{NAME}/manifests"
ACCEPT = {"Accept": f"{mediatypes.DOCKER_MANIFEST}, {mediatypes.DOCKER_MANIFEST_LIST}"}
IMAGES_ONLY = {"Accept": mediatypes.DOCKER_MANIFEST}
SCHEMA1_ONLY = {"Accept": mediatypes.SCHEMA1_SIGNED}
SAME = {"If-None-Match": f'"{Digest.of(MANIFEST)}"'}

ROWS: list[tuple[str, str, dict[str, str], bytes, int, list[tuple[str, dict[str, object]]]]] = [
    ("GET", f"{MANIFESTS}/v1", ACCEPT, b"", 200, [("pull", manifest(MANIFEST, tag="v1"))]),
    ("HEAD", f"{MANIFESTS}/v1", ACCEPT, b"", 200, [("pull", manifest(MANIFEST, tag="v1"))]),
    ("GET", f"{MANIFESTS}/{Digest.of(MANIFEST)}", ACCEPT, b"", 200, [("pull", manifest(MANIFEST))]),
    ("GET", f"{MANIFESTS}/v1", {**ACCEPT, **SAME}, b"", 304, []),
    ("HEAD", f"{MANIFESTS}/v1", {**ACCEPT, **SAME}, b"", 304, []),
    ("GET", f"{MANIFESTS}/none", ACCEPT, b"", 404, []),
    ("GET", f"{MANIFESTS}/list", ACCEPT, b"", 200, [("pull", manifest(LIST, tag="list"))]),
    (
        *("GET", f"{MANIFESTS}/list", IMAGES_ONLY, b"", 200),
        [("pull", manifest(LIST, tag="list")), ("pull", manifest(MANIFEST))],
    ),
    ("GET", f"{MANIFESTS}/list", {**IMAGES_ONLY, **SAME}, b"", 304, []),
    (
        *("GET", f"{MANIFESTS}/v1", SCHEMA1_ONLY, b"", 200),
        [
            ("pull", manifest(MANIFEST, tag="v1")),
            ("pull", blob(CONFIG)),
            (
                "push",
                {
                    "mediaType": OCTETS,
                    "size": 32,
                    "digest": EMPTY_LAYER,
                    "length": 32,
                    "repository": NAME,
                    "url": f"http://localhost:80/v2/{NAME}/blobs/{EMPTY_LAYER}",
                },
            ),
        ],
    ),
    ("PUT", f"{MANIFESTS}/v2", {}, MANIFEST, 201, [("push", manifest(MANIFEST, tag="v2"))]),
    ("PUT", f"{MANIFESTS}/{Digest.of(LIST)}", {}, LIST, 201, [("push", manifest(LIST))]),
    (
        *("PUT", f"{MANIFESTS}/{Digest.of(MANIFEST)}?tag=a&tag=b", {}, MANIFEST, 201),
        [("push", manifest(MANIFEST, tag="a")), ("push", manifest(MANIFEST, tag="b"))],
    ),
    ("PUT", f"{MANIFESTS}/v2", {}, b'{"mediaType": "application/json"}', 400, []),
    ("GET", BLOB, {}, b"", 200, [("pull", blob(LAYER))]),
    ("HEAD", BLOB, {}, b"", 200, [("pull", blob(LAYER))]),
    ("GET", BLOB, {"Range": "bytes=0-2"}, b"", 206, [("pull", blob(LAYER))]),
    ("GET", BLOB, {"Range": "bytes=99-"}, b"", 416, []),
    ("GET", BLOB, {"If-None-Match": f'"{Digest.of(LAYER)}"'}, b"", 304, [("pull", blob(LAYER))]),
    ("GET", f"/v2/{NAME}/blobs/{Digest.of(CONTENT)}", {}, b"", 404, []),
    (
        *("POST", f"/v2/{NAME}/blobs/uploads/?digest={Digest.of(CONTENT)}", {}, CONTENT, 201),
        [("push", blob(CONTENT))],
    ),
    (
        *("POST", f"/v2/c/blobs/uploads/?mount={Digest.of(LAYER)}&from={NAME}", {}, b"", 201),
        [("mount", blob(LAYER, "c", fromRepository=NAME))],
    ),
    (
        *("POST", f"/v2/c/blobs/uploads/?mount={Digest.of(LAYER)}", {}, b"", 201),
        [("mount", blob(LAYER, "c", fromRepository=NAME))],
    ),
    ("POST", f"/v2/c/blobs/uploads/?mount={Digest.of(CONTENT)}&from={NAME}", {}, b"", 202, []),
    ("POST", f"/v2/{NAME}/blobs/uploads/", {}, b"", 202, []),
    ("DELETE", BLOB, {}, b"", 202, [("delete", {"digest": Digest.of(LAYER), "repository": NAME})]),
    ("DELETE", f"{MANIFESTS}/v1", {}, b"", 202, [("delete", {"repository": NAME, "tag": "v1"})]),
    (
        *("DELETE", f"{MANIFESTS}/{Digest.of(MANIFEST)}", {}, b"", 202),
        [
            ("delete", {"digest": Digest.of(MANIFEST), "repository": NAME}),
            ("delete", {"repository": NAME, "tag": "v1"}),
        ],
    ),
    ("DELETE", f"{MANIFESTS}/none", {}, b"", 404, []),
    ("GET", f"/v2/{NAME}/tags/list", {}, b"", 200, []),
    ("GET", "/v2/_catalog", {}, b"", 200, []),
    ("GET", f"/v2/{NAME}/referrers/{Digest.of(MANIFEST)}", {}, b"", 200, []),
    ("GET", "/v2/", {}, b"", 200, []),
]


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "expected"),
    ROWS,
    ids=[f"{row[0]} {row[1][:60]} {row[4]} {number}" for number, row in enumerate(ROWS)],
)
def test_a_request_raises_the_events_of_docker_registry(
    observed: Observed,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
    expected: list[tuple[str, dict[str, object]]],
) -> None:
    if method == "PUT":
        headers = {"Content-Type": json.loads(body)["mediaType"]}
    observed.app.request(path, method=method, headers=headers, body=body, status=status)
    events = observed.taken()
    assert [(event["action"], event["target"]) for event in events] == expected
    for event in events:
        assert (event["request"]["method"], event["request"]["host"]) == (method, "localhost:80")


def test_an_upload_in_pieces_is_one_push(observed: Observed) -> None:
    location = observed.app.post(f"/v2/{NAME}/blobs/uploads/", status=202).headers["Location"]
    observed.app.patch(location, CONTENT[:4], status=202)
    observed.app.put(f"{location}?digest={Digest.of(CONTENT)}", CONTENT[4:], status=201)
    assert [(event["action"], event["target"]) for event in observed.taken()] == [("push", blob(CONTENT))]


def test_a_cancelled_upload_is_none(observed: Observed) -> None:
    location = observed.app.post(f"/v2/{NAME}/blobs/uploads/", status=202).headers["Location"]
    observed.app.patch(location, CONTENT, status=202)
    observed.app.delete(location, status=204)
    assert observed.taken() == []


def test_a_blob_that_the_client_gets_elsewhere_is_pulled() -> None:
    driver = RedirectMiddleware(storages.new_driver(), baseurl="https://cdn.example.com/")
    observed = Observed(driver=driver, redirect=True)
    push_blob(observed.app, NAME, LAYER)
    observed.taken()
    observed.app.get(BLOB, status=307)
    assert [(event["action"], event["target"]) for event in observed.taken()] == [("pull", blob(LAYER))]


def test_an_empty_blob_has_no_size_as_in_docker_registry(observed: Observed) -> None:
    location = observed.app.post(f"/v2/{NAME}/blobs/uploads/", status=202).headers["Location"]
    observed.app.put(f"{location}?digest={Digest.of(b'')}", b"", status=201)
    (event,) = observed.taken()
    assert event["target"].keys() == {"mediaType", "digest", "repository", "url"}


def test_the_second_conversion_stores_no_layer_again(observed: Observed) -> None:
    for actions in (["pull", "pull", "push"], ["pull", "pull"]):
        observed.app.get(f"{MANIFESTS}/v1", headers=SCHEMA1_ONLY, status=200)
        assert [event["action"] for event in observed.taken()] == actions
