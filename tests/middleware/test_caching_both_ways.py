"""Reads through the caching layer and around it: the same status, headers, body and events.

The conformance suite is run so, too: see `both-ways` in tests/conformance/conftest.py.
"""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from webtest import TestApp

from registry_wsgi import mediatypes
from registry_wsgi.api.call import Options
from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.descriptor import Digest
from registry_wsgi.manifests.signing import LibtrustSigner
from tests import storages
from tests.api.inprocess import InProcess
from tests.bothways import BothWays
from tests.schema1 import payload, sign
from tests.stack import image_manifest, stack_over

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.interfaces import StorageDriver

NAME = "a/b"
SIGNER = LibtrustSigner()
CONFIG = json.dumps(
    {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [Digest.of(b"layer")]}}
).encode()
LARGE = b"large" * 400_000
BLOBS = (CONFIG, b"layer", b"", LARGE)
"""A config, a layer, nothing, and what is streamed."""


def image(media_type: str, **members: object) -> bytes:
    return image_manifest(Digest.of(CONFIG), Digest.of(b"layer"), mediaType=media_type, **members)


DOCKER, OCI = image(mediatypes.DOCKER_MANIFEST), image(mediatypes.OCI_MANIFEST)
ARM = image(mediatypes.DOCKER_MANIFEST, annotations={"a": "b"})


def index(media_type: str, **platforms: bytes) -> bytes:
    manifests = [
        {
            "mediaType": json.loads(child)["mediaType"],
            "size": len(child),
            "digest": Digest.of(child),
            "platform": {"architecture": architecture, "os": "linux"},
        }
        for architecture, child in platforms.items()
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}).encode()


LIST = index(mediatypes.DOCKER_MANIFEST_LIST, arm64=ARM, amd64=DOCKER)
TAGGED = {"docker": DOCKER, "arm": ARM, "oci": OCI, "list": LIST, "index": index(mediatypes.OCI_INDEX, amd64=OCI)}

ACCEPTED = (
    None,
    "",
    "*/*",
    "text/html",
    mediatypes.DOCKER_MANIFEST,
    mediatypes.OCI_MANIFEST,
    mediatypes.DOCKER_MANIFEST_LIST,
    f"{mediatypes.OCI_INDEX}, {mediatypes.SCHEMA1_SIGNED}",
    mediatypes.SCHEMA1_SIGNED,
    "a/b, " * 600 + "*/*",
)
CONDITIONS: tuple[dict[str, str], ...] = (
    {},
    {"Range": "bytes=0-1"},
    {"Range": "bytes=0-1,3-4"},
    {"Range": "bytes=900000-"},
    {"Range": "none"},
    {"Range": "bytes=1-", "If-Range": '"else"'},
    {"If-None-Match": "*"},
    {"If-None-Match": '"else"'},
    {"If-Match": '"else"'},
    {"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"},
    {"Cache-Control": "no-cache"},
)
OPTIONS = {
    "plain": Options(),
    "headers": Options(headers=(("X-Frame-Options", "deny"), ("X-Two", "1"), ("X-Two", "2"))),
    "host": Options(host="https://registry.example.com"),
    "read-only": Options(read_only=True),
}


@pytest.fixture(params=storages.kinds())
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> StorageDriver:
    """A driver with a repository of all kinds."""
    driver = storages.driver_at(tmp_path / "r", request.param)
    client = InProcess(stack_over(driver, signer=SIGNER))
    for content in BLOBS:
        client.push_blob(NAME, content)
    client.push_blob(NAME, b"by sha512", str(Digest.of(b"by sha512", "sha512")))
    for tag, content in TAGGED.items():
        client.push_manifest(NAME, tag, content, json.loads(content)["mediaType"])
    client.push_manifest(NAME, str(Digest.of(OCI, "sha512")), OCI, mediatypes.OCI_MANIFEST)
    signed = sign(payload(NAME, [Digest.of(b"layer")]), SIGNER)
    client.push_manifest(NAME, "schema1", signed, mediatypes.SCHEMA1_SIGNED)
    return driver


def both(driver: StorageDriver, options: Options, **more: Any) -> BothWays:
    around, through = (
        stack_over(driver, cache=InMemoryCacheProvider(), options=options, responses=responses, **more).app
        for responses in (None, {"headers": options.headers})
    )
    return BothWays(around, through)


def ask(app: BothWays, path: str, headers: dict[str, str]) -> list[int]:
    """Ask with GET and HEAD; return the two statuses."""
    return [TestApp(app).request(path, method=way, headers=headers, status="*").status_int for way in ("GET", "HEAD")]


@pytest.mark.parametrize(
    ("options", "signer"),
    [("plain", SIGNER), ("headers", None), ("host", None), ("read-only", SIGNER)],
)
def test_manifests(driver: StorageDriver, options: str, signer: LibtrustSigner | None) -> None:
    app = both(driver, OPTIONS[options], signer=signer)
    digests = [*map(Digest.of, TAGGED.values()), Digest.of(OCI, "sha512"), Digest.of(b"layer"), Digest.of(b"absent")]
    statuses = set()
    for reference, accept in product([*TAGGED, "schema1", "absent", "a b", *digests, "sha256:0"], ACCEPTED):
        headers = {} if accept is None else {"Accept": accept}
        statuses |= {*ask(app, f"/v2/{NAME}/manifests/{reference}", headers)}
    assert statuses == {200, 400, 404}


def test_conditions(driver: StorageDriver) -> None:
    app = both(driver, Options())
    digest = str(Digest.of(b"layer"))
    own = ({"If-None-Match": f'"{digest}"'}, {"If-Match": f'"{digest}"'}, {"If-None-Match": digest})
    statuses = set()
    for headers in (*CONDITIONS, *own):
        for content in BLOBS:
            statuses |= {*ask(app, f"/v2/{NAME}/blobs/{Digest.of(content)}", headers)}
        statuses |= {*ask(app, f"/v2/{NAME}/manifests/oci", headers)}
    assert statuses == {200, 206, 304, 412, 416}


@pytest.mark.parametrize("options", OPTIONS)
def test_blobs(driver: StorageDriver, options: str) -> None:
    app = both(driver, OPTIONS[options])
    digests = (*map(Digest.of, BLOBS), Digest.of(b"by sha512"), Digest.of(b"by sha512", "sha512"), Digest.of(b"absent"))
    for name, digest in product((NAME, "a", "A", "a" * 256), (*digests, "sha256:0", "latest", Digest.of(OCI))):
        assert ask(app, f"/v2/{name}/blobs/{digest}", {})[0] in (200, 400, 404)


def test_a_difference_does_not_go_unnoticed(driver: StorageDriver) -> None:
    app = both(driver, Options())
    through = app.through

    def changed(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        body = through(environ, start_response)
        environ["registry_wsgi.context"].events.clear()
        return body

    app.through = changed
    with pytest.raises(AssertionError):
        ask(app, f"/v2/{NAME}/manifests/oci", {})
