"""The trees of all releases are served, and deleted from, whichever of them linked the manifests where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.drivers.filesystem import FilesystemDriver
from registry_wsgi.manifests import jws, parse
from registry_wsgi.manifests.signing import LibtrustSigner
from registry_wsgi.storage.registry import Registry
from tests import storages
from tests.api.inprocess import InProcess
from tests.compat import trees
from tests.compat.trees import CONFIG, LOWER, RELEASES, SCHEMA_2, UPPER, WITHOUT_SIGNATURES, Tree
from tests.schema1 import sign, signer
from tests.stack import stack_over
from tests.wire import Client, digest_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

SIGNER = LibtrustSigner()
PLACES = ("_manifests/revisions", "_layers")


@pytest.fixture(params=RELEASES)
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    pushers = [signer(tmp_path, kind) for kind in ("P-256", "P-384", "RSA")]
    return trees.make(tmp_path / "data", request.param, pushers)


def serving(tree: Tree, **options: object) -> InProcess:
    """Return a client of our registry on the tree, whose cache knows nothing yet."""
    driver = FilesystemDriver(rootdirectory=tree.directory)
    return InProcess(stack_over(driver, cache=InMemoryCacheProvider(), **options))


@pytest.fixture
def client(tree: Tree) -> InProcess:
    return serving(tree)


def test_every_manifest_is_served_by_tag_and_by_digest(client: InProcess, tree: Tree) -> None:
    for tag, content in tree.tags.items():
        for reference in (tag, digest_of(content)):
            answer = client.manifest(tree.name, reference)
            assert (answer.status, answer.digest) == (200, digest_of(content))
            if content != SCHEMA_2 and answer.body != content:
                assert parse(answer.body, answer.headers["Content-Type"]).payload == content
            head = client.request("HEAD", f"/v2/{tree.name}/manifests/{reference}")
            assert head.headers["Content-Length"] == str(len(answer.body))


def test_every_layer_is_served(client: InProcess, tree: Tree) -> None:
    for layer in (UPPER, LOWER):
        assert client.blob(tree.name, digest_of(layer)).body == layer


def test_the_repository_and_its_tags_are_listed(client: InProcess, tree: Tree) -> None:
    assert client.catalog() == [tree.name]
    assert client.tags(tree.name).json()["tags"] == sorted(tree.tags)


def test_a_manifest_is_served_with_all_the_signatures_that_are_stored(client: InProcess, tree: Tree) -> None:
    answer = client.manifest(tree.name, "old")
    if tree.release in WITHOUT_SIGNATURES:
        assert (answer.body, answer.headers["Content-Type"]) == (tree.tags["old"], mediatypes.SCHEMA1)
    else:
        assert answer.body == jws.assemble(tree.tags["old"], tree.signatures)
        assert answer.headers["Content-Type"] == mediatypes.SCHEMA1_SIGNED
        SIGNER.verify(parse(answer.body, mediatypes.SCHEMA1_SIGNED))


def test_a_manifest_without_signatures_is_signed_by_a_registry_with_a_key(tree: Tree) -> None:
    answer = serving(tree, signer=SIGNER).manifest(tree.name, "older")
    assert answer.body == sign(tree.tags["older"], SIGNER)
    assert answer.digest == digest_of(tree.tags["older"])


def test_the_service_has_the_signatures_of_every_release(tree: Tree) -> None:
    repository = Registry(FilesystemDriver(rootdirectory=tree.directory)).repository(tree.name)
    found = repository.signatures.get(Context(), Digest.parse(digest_of(tree.tags["old"])))
    assert found == sorted(tree.signatures, key=digest_of)


@pytest.mark.parametrize("blob", [UPPER, LOWER, CONFIG])
def test_a_layer_is_neither_served_nor_deleted_as_a_manifest(blob: bytes, client: InProcess, tree: Tree) -> None:
    there = client.blob(tree.name, digest_of(blob)).status
    assert client.manifest(tree.name, digest_of(blob)).status == 404
    assert client.delete(tree.name, "manifests", digest_of(blob)) == 404
    assert client.blob(tree.name, digest_of(blob)).status == there


def test_a_manifest_that_is_linked_in_either_place_or_both_is_deleted_from_both(tree: Tree) -> None:
    digest = digest_of(tree.tags["old"])
    (other,) = {*PLACES} - {tree.manifest_links}
    for twice in (False, True):
        client = serving(tree)
        if twice:  # pushed again by a release that linked it elsewhere
            tree.manifest("old", tree.tags["old"])
            tree.write_link(other, digest)
        assert client.manifest(tree.name, digest).status == 200
        assert client.delete(tree.name, "manifests", digest) == 202
        assert not any(tree.link(place, digest).exists() for place in PLACES)
        for reference in (digest, "old"):
            assert client.manifest(tree.name, reference).status == 404
        assert client.delete(tree.name, "manifests", digest) == 404
    assert client.manifest(tree.name, "older").status == 200
    assert client.blob(tree.name, digest_of(UPPER)).status == 200


def test_what_is_pushed_again_is_linked_as_a_revision(tree: Tree, tmp_path: Path) -> None:
    client, content = serving(tree, signer=SIGNER), tree.tags["old"]
    pushed = client.push_manifest(tree.name, "again", sign(content, SIGNER), mediatypes.SCHEMA1_SIGNED)
    assert pushed == digest_of(content)
    assert tree.link("_manifests/revisions", pushed).read_bytes() == pushed.encode()
    assert client.manifest(tree.name, "old").body == jws.assemble(content, [*tree.signatures, SIGNER.sign(content)])


def test_a_damaged_link_is_no_reason_to_look_elsewhere(tree: Tree) -> None:
    digest = digest_of(tree.tags["old"])
    for place in PLACES:
        tree.write_link(place, digest)
    tree.link("_manifests/revisions", digest).write_bytes(b"damaged")
    assert serving(tree).manifest(tree.name, digest).status == 500


def test_docker_registry_serves_these_trees_too(tree: Tree, serve: Serve) -> None:
    """So they are what its releases wrote: 2.8 reads them all."""
    storages.hand_over(tree.directory)
    theirs = Client(serve(tree.directory, kind="docker-registry").url)
    for tag, content in tree.tags.items():
        for reference in (tag, digest_of(content)):
            answer = theirs.manifest(tree.name, reference)
            assert (answer.status, answer.digest) == (200, digest_of(content))
            assert parse(answer.body, answer.headers["Content-Type"]).payload == content
    assert theirs.tags(tree.name).json()["tags"] == sorted(tree.tags)
