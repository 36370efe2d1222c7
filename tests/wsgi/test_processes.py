"""What one server process remembers never outlives what another one, ours or docker-registry, does to the storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import storages
from tests.wire import Client, digest_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

NAME, CONTENT = "a/b", b"content"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


def manifest(number: int) -> bytes:
    described = f'"mediaType":"application/octet-stream","digest":"{digest_of(CONTENT)}","size":{len(CONTENT)}'
    return (
        f'{{"schemaVersion":2,"mediaType":"{MANIFEST_TYPE}","config":{{{described}}},"layers":[],'
        f'"annotations":{{"number":"{number}"}}}}'
    ).encode()


@pytest.fixture(params=["granian", "docker-registry"])
def other(request: pytest.FixtureRequest, serve: Serve, tmp_path: Path) -> Client:
    """Another registry on the same directory."""
    return Client(serve(tmp_path / "data", kind=request.param).url)


@pytest.fixture
def ours(other: Client, serve: Serve, tmp_path: Path) -> Client:
    """A registry that has answered for everything twice, so that it remembers."""
    client = Client(serve(tmp_path / "data").url)
    other.push_blob(NAME, CONTENT)
    other.push_manifest(NAME, "v1", manifest(1), MANIFEST_TYPE)
    for _ in range(2):
        assert statuses(client, "blobs", digest_of(CONTENT)) == [200, 200]
        for reference in ("v1", digest_of(manifest(1))):
            assert statuses(client, "manifests", reference) == [200, 200]
    return client


def statuses(client: Client, kind: str, reference: str) -> list[int]:
    accept = {"Accept": MANIFEST_TYPE}
    return [
        client.request(method, f"/v2/{NAME}/{kind}/{reference}", headers=accept).status for method in ("HEAD", "GET")
    ]


def check_gone(client: Client, kind: str, reference: str) -> None:
    storages.check_seen(lambda: statuses(client, kind, reference) == [404, 404])


def test_a_tag_that_another_process_moves_is_seen_to_move(ours: Client, other: Client) -> None:
    for number in (2, 1, 3, 1):
        other.push_manifest(NAME, "v1", manifest(number), MANIFEST_TYPE)
        assert ours.manifest(NAME, "v1").body == manifest(number)


def test_a_manifest_that_another_process_deletes_and_pushes_again_goes_and_comes(ours: Client, other: Client) -> None:
    digest = digest_of(manifest(1))
    for _ in range(2):
        assert other.delete(NAME, "manifests", digest) == 202
        check_gone(ours, "manifests", digest)
        check_gone(ours, "manifests", "v1")
        other.push_manifest(NAME, "v1", manifest(1), MANIFEST_TYPE)
        assert statuses(ours, "manifests", digest) == [200, 200]
        assert ours.manifest(NAME, "v1").body == manifest(1)


def test_a_blob_that_another_process_deletes_and_pushes_again_goes_and_comes(ours: Client, other: Client) -> None:
    digest = digest_of(CONTENT)
    assert other.delete(NAME, "blobs", digest) == 202
    check_gone(ours, "blobs", digest)
    other.push_blob(NAME, CONTENT)
    assert statuses(ours, "blobs", digest) == [200, 200]
    assert ours.blob(NAME, digest).body == CONTENT
