"""The blob services and what they promise to each other."""

from __future__ import annotations

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import BlobUnknown, ManifestUnknown, RegistryError, RegistryErrors, Unsupported
from registry_wsgi.manifests import recognise
from registry_wsgi.reference import Tag
from registry_wsgi.storage import paths
from registry_wsgi.storage.cached import CachedBlobStatter
from registry_wsgi.storage.registry import Registry, Repository
from tests import storages
from tests.stack import CountingDriver, image_manifest

CTX = Context()
CONTENT = b"some content"
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def driver() -> CountingDriver:
    return CountingDriver(storages.new_driver())


@pytest.fixture
def registry(driver: CountingDriver) -> Registry:
    return Registry(driver, cache=InMemoryCacheProvider(), delete_enabled=True)


@pytest.fixture
def repository(registry: Registry) -> Repository:
    return registry.repository("a/b")


def put(repository: Repository, content: bytes = CONTENT) -> Digest:
    return repository.blobs.put(Context(), mediatypes.OCTET_STREAM, content).digest


def test_a_blob_of_one_repository_is_unknown_to_another(registry: Registry, repository: Repository) -> None:
    put(repository)
    with pytest.raises(BlobUnknown):
        registry.repository("other").blobs.stat(CTX, DIGEST)


def test_a_link_is_written_after_the_blob_and_cached_after_the_link(driver: CountingDriver, registry: Registry) -> None:
    put(registry.repository("a/b"))
    assert driver.taken() == ["stat data", "put_content data", "put_content link"]


def test_a_delete_by_another_process_is_seen_at_once(driver: CountingDriver, repository: Repository) -> None:
    other = Registry(driver, cache=InMemoryCacheProvider(), delete_enabled=True).repository("a/b")
    put(repository)
    assert other.blobs.stat(CTX, DIGEST).size == len(CONTENT)
    repository.blobs.delete(CTX, DIGEST)
    with pytest.raises(BlobUnknown):
        other.blobs.stat(CTX, DIGEST)
    with pytest.raises(BlobUnknown):
        other.blobs.open(CTX, DIGEST)


def test_a_look_up_that_a_delete_overtakes_brings_nothing_back(repository: Repository, registry: Registry) -> None:
    put(repository)
    assert registry.cache is not None
    repository.blobs.delete(CTX, DIGEST)
    # The slow look-up remembers what it found before the delete.
    registry.cache.repository_scoped("a/b").set_descriptor(CTX, DIGEST, Descriptor(DIGEST, len(CONTENT)))
    with pytest.raises(BlobUnknown):
        repository.blobs.stat(CTX, DIGEST)


def test_what_was_deleted_can_be_pushed_again(repository: Repository) -> None:
    put(repository)
    repository.blobs.delete(CTX, DIGEST)
    put(repository)
    assert repository.blobs.stat(CTX, DIGEST).size == len(CONTENT)


def test_deleting_needs_to_be_switched_on(driver: CountingDriver) -> None:
    repository = Registry(driver).repository("a/b")
    for refused in (
        lambda: repository.blobs.delete(CTX, DIGEST),
        lambda: repository.manifests.delete(CTX, DIGEST),
        lambda: repository.tags.delete(CTX, Tag("v1")),
    ):
        with pytest.raises(Unsupported):
            refused()
    assert driver.taken() == []


class BrokenCache:
    """A cache that fails in every way it can."""

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        raise ConnectionError("gone")

    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        raise ConnectionError("gone")

    def clear(self, ctx: Context, digest: Digest) -> None:
        raise ConnectionError("gone")


def test_a_broken_cache_is_logged_and_the_backend_answers(
    repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    put(repository)
    statter = CachedBlobStatter(BrokenCache(), repository.blobs._links, repository.blobs._blobs)
    assert statter.stat(CTX, DIGEST).size == len(CONTENT)
    statter.clear(CTX, DIGEST)
    assert not statter.linked(CTX, DIGEST)
    assert "failed to look up" in caplog.text


def test_a_repositorys_media_type_stays_in_the_repository(registry: Registry, repository: Repository) -> None:
    assert registry.cache is not None
    repository.blobs.put(CTX, "application/special", CONTENT)
    assert repository.blobs.stat(CTX, DIGEST).media_type == "application/special"
    assert registry.cache.stat(CTX, DIGEST).media_type == mediatypes.OCTET_STREAM


def test_an_alias_links_to_the_canonical_digest(driver: CountingDriver, repository: Repository) -> None:
    alias = Digest.of(CONTENT, "sha512")
    repository.blobs.put(CTX, mediatypes.OCTET_STREAM, CONTENT, alias)
    assert driver.get_content(CTX, paths.layer_link("a/b", alias)) == DIGEST.encode()
    assert repository.blobs.stat(CTX, alias).digest == DIGEST


@pytest.mark.parametrize("content", [b"", b"sha256:abc", DIGEST.encode() + b" #", b"\xff"])
def test_a_link_that_holds_no_digest_is_damage_and_not_absence(
    content: bytes, driver: CountingDriver, repository: Repository
) -> None:
    driver.put_content(CTX, paths.layer_link("a/b", DIGEST), content)
    with pytest.raises(RegistryError, match="holds no digest"):
        repository.blobs.get(CTX, DIGEST)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_link_that_somebody_wrote_as_a_line_is_read(
    end: bytes, driver: CountingDriver, repository: Repository
) -> None:
    put(repository)
    driver.put_content(CTX, paths.layer_link("a/b", DIGEST), DIGEST.encode() + end)
    driver.put_content(CTX, paths.tag_current_link("a/b", Tag("v1")), DIGEST.encode() + end)
    assert repository.blobs.get(CTX, DIGEST) == CONTENT
    assert repository.tags.get(CTX, Tag("v1")) == DIGEST


def test_a_part_of_a_blob_left_by_another_registry_is_replaced(driver: CountingDriver, repository: Repository) -> None:
    driver.put_content(CTX, paths.blob_data(DIGEST), CONTENT[:3])
    put(repository)
    assert repository.blobs.get(CTX, DIGEST) == CONTENT


def put_image(repository: Repository) -> Digest:
    payload = image_manifest(put(repository, b"{}"))
    return repository.manifests.put(CTX, recognise(payload)).digest


@pytest.mark.parametrize("link_path", [paths.revision_link, paths.layer_link])
def test_a_manifest_is_found_wherever_a_release_linked_it(
    link_path: object, driver: CountingDriver, repository: Repository
) -> None:
    digest = put_image(repository)
    driver.delete(CTX, paths.revision_link("a/b", digest))
    assert not repository.manifests.exists(CTX, digest)
    driver.put_content(CTX, link_path("a/b", digest), digest.encode())  # type: ignore[operator]
    assert repository.manifests.exists(CTX, digest)
    repository.manifests.delete(CTX, digest)
    assert not repository.manifests.exists(CTX, digest)


@pytest.mark.parametrize("layer", [b"no manifest", b"{}", b"[" * 100_000, b"x" * (5 * 1024 * 1024)])
def test_a_layer_is_no_manifest(layer: bytes, repository: Repository) -> None:
    digest = put(repository, layer)
    with pytest.raises(ManifestUnknown):
        repository.manifests.get(CTX, digest)
    with pytest.raises(ManifestUnknown):
        repository.manifests.delete(CTX, digest)
    assert repository.blobs.stat(CTX, digest)


def test_all_missing_references_are_named(repository: Repository) -> None:
    missing = [Digest.of(b"one"), Digest.of(b"two")]
    with pytest.raises(RegistryErrors) as raised:
        repository.manifests.put(CTX, recognise(image_manifest(*missing)))
    assert [error.detail for error in raised.value.errors] == missing


def test_deleting_a_manifest_removes_its_tags_and_no_others(repository: Repository) -> None:
    digest = put_image(repository)
    other = repository.manifests.put(CTX, recognise(image_manifest(put(repository, b"{}"), annotations={}))).digest
    for tag, target in (("v1", digest), ("latest", digest), ("v2", other)):
        repository.tags.put(CTX, Tag(tag), target)
    assert sorted(repository.manifests.delete(CTX, digest)) == ["latest", "v1"]
    assert repository.tags.list(CTX) == ["v2"]
