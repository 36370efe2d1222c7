"""A cache provider as the primary store: a registry that has no links, whose descriptors are in the provider alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest
from werkzeug.test import Client

from registry_wsgi import mediatypes
from registry_wsgi.api.core import create_core
from registry_wsgi.descriptor import OCTET_STREAM, Descriptor, Digest
from registry_wsgi.drivers.inmemory import InMemoryDriver
from registry_wsgi.errors import BlobUnknown
from registry_wsgi.middleware.compose import Layer, compose
from registry_wsgi.middleware.tracing import TracingLayer
from registry_wsgi.storage.linked import LinkedBlobStatter, LinkedBlobStore
from registry_wsgi.storage.registry import Registry, Repository
from registry_wsgi.storage.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from werkzeug.test import TestResponse

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import BlobDescriptorCacheProvider, BlobDescriptorService, StorageDriver

LAYERS = [b"layer %d" % number for number in range(12)]
CONFIG = b"{}"


class DescriptorsAlone:
    """What LinkedBlobStore wants of links, from a descriptor service and nothing behind it."""

    def __init__(self, service: BlobDescriptorService) -> None:
        self._service = service

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        """Return what was set. A digest of another algorithm holds only while the canonical one does."""
        found = self._service.stat(ctx, digest)
        return found if found.digest == digest else self._service.stat(ctx, found.digest)

    def resolve(self, ctx: Context, digest: Digest) -> Digest:
        return self.stat(ctx, digest).digest

    def known(self, ctx: Context, digest: Digest) -> Descriptor:
        return self.stat(ctx, digest)

    def linked(self, ctx: Context, digest: Digest) -> bool:
        try:
            self.stat(ctx, digest)
        except BlobUnknown:
            return False
        return True

    def link(self, ctx: Context, canonical: Digest, aliases: Iterable[Digest] = ()) -> None:
        """Do nothing: `set_descriptor` follows."""

    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        self._service.set_descriptor(ctx, digest, descriptor)

    def clear(self, ctx: Context, digest: Digest) -> None:
        for name in dict.fromkeys((self.resolve(ctx, digest), digest)):
            self._service.clear(ctx, name)


class LinklessRegistry:
    """A Namespace over a driver, which has the content, and a provider, which knows who has what of it."""

    def __init__(self, driver: StorageDriver, provider: BlobDescriptorCacheProvider) -> None:
        self._registry = Registry(driver, delete_enabled=True)
        self._provider = provider

    def repository(self, name: str) -> Repository:
        repository = self._registry.repository(name)
        access = DescriptorsAlone(self._provider.repository_scoped(name))
        repository.blobs = repository._revisions = LinkedBlobStore(
            self._registry.blobs,
            cast("LinkedBlobStatter", access),
            access,
            Uploads(self._registry.driver, self._registry.blobs, name),
            delete_enabled=True,
        )
        return repository

    def holder(self, ctx: Context, digest: Digest, may_pull: Callable[[str], bool]) -> None:
        """Find nothing: who has a blob can be told of a repository, and not of all of them."""

    def repositories(self, ctx: Context, last: str = "") -> Iterator[str]:
        return self._registry.repositories(ctx, last)


class PrimaryStoreSuite:
    """What a provider must not lose, forget or mix up where there is nothing to ask behind it."""

    @pytest.fixture
    def provider(self) -> BlobDescriptorCacheProvider | Iterator[BlobDescriptorCacheProvider]:
        raise NotImplementedError("give a fixture `provider`: a provider that remembers nothing yet")

    @pytest.fixture
    def other_provider(
        self, provider: BlobDescriptorCacheProvider
    ) -> BlobDescriptorCacheProvider | Iterator[BlobDescriptorCacheProvider]:
        """A second provider that knows what the first one is told; the same one where each keeps its own."""
        return provider

    @pytest.fixture
    def registries(
        self, provider: BlobDescriptorCacheProvider, other_provider: BlobDescriptorCacheProvider
    ) -> tuple[_Client, _Client]:
        """Two processes, as it were, of one registry without links."""
        driver = InMemoryDriver()
        return _Client(LinklessRegistry(driver, provider)), _Client(LinklessRegistry(driver, other_provider))

    def test_an_image_that_one_process_took_is_pulled_whole_from_another(
        self, registries: tuple[_Client, _Client]
    ) -> None:
        first, second = registries
        manifest = first.push_image("a/b", "v1")
        for _ in range(2):  # what was looked up does not change what is known
            assert second.get(f"/v2/a/b/manifests/{manifest}").status_code == 200
            assert second.get("/v2/a/b/manifests/v1").headers["Docker-Content-Digest"] == manifest
            for layer in (CONFIG, *LAYERS):
                assert second.get(f"/v2/a/b/blobs/{Digest.of(layer)}").data == layer

    def test_a_blob_is_reached_through_the_repositories_that_have_it_alone(
        self, registries: tuple[_Client, _Client]
    ) -> None:
        first, second = registries
        digest = first.push("a", LAYERS[0])
        assert second.get(f"/v2/b/blobs/{digest}").status_code == 404
        manifest = first.manifest(CONFIG, *LAYERS)
        assert first.put_manifest("b", "v1", manifest).status_code == 400
        assert second.mount("b", digest, "a").status_code == 201
        assert first.get(f"/v2/b/blobs/{digest}").data == LAYERS[0]

    def test_what_one_repository_deleted_the_others_keep(self, registries: tuple[_Client, _Client]) -> None:
        first, second = registries
        digest = first.push("a", LAYERS[0])
        second.push("b", LAYERS[0])
        assert first.delete(f"/v2/a/blobs/{digest}").status_code == 202
        for registry in registries:
            assert registry.get(f"/v2/a/blobs/{digest}").status_code == 404
            assert registry.get(f"/v2/b/blobs/{digest}").data == LAYERS[0]
        assert second.delete(f"/v2/a/blobs/{digest}").status_code == 404
        second.push("a", LAYERS[0])
        assert first.get(f"/v2/a/blobs/{digest}").data == LAYERS[0]

    def test_a_deleted_image_stays_deleted_while_others_push_the_same(
        self, registries: tuple[_Client, _Client]
    ) -> None:
        first, second = registries
        manifest = first.push_image("a", "v1")
        second.push_image("b", "v1")
        assert second.delete(f"/v2/a/manifests/{manifest}").status_code == 202
        first.push_image("c", "v1")
        for registry in registries:
            assert registry.get(f"/v2/a/manifests/{manifest}").status_code == 404
            assert registry.get("/v2/a/manifests/v1").status_code == 404
            for name in ("b", "c"):
                assert registry.get(f"/v2/{name}/manifests/v1").status_code == 200

    @pytest.mark.parametrize("algorithm", ["sha512", "sha384"])
    def test_a_digest_of_another_algorithm_is_one_of_the_blobs_names(
        self, registries: tuple[_Client, _Client], algorithm: str
    ) -> None:
        first, second = registries
        alias, canonical = first.push("a", LAYERS[0], algorithm), Digest.of(LAYERS[0])
        for digest in (alias, canonical):
            assert second.get(f"/v2/a/blobs/{digest}").headers["Docker-Content-Digest"] == digest
        assert first.delete(f"/v2/a/blobs/{alias}").status_code == 202
        for digest in (alias, canonical):
            assert second.get(f"/v2/a/blobs/{digest}").status_code == 404

    def test_media_types_are_the_repositorys_own_and_what_all_know_has_none(
        self, provider: BlobDescriptorCacheProvider, other_provider: BlobDescriptorCacheProvider, ctx: Context
    ) -> None:
        digest = Digest.of(CONFIG)
        for name in ("a", "b"):
            descriptor = Descriptor(digest, len(CONFIG), f"application/vnd.example.{name}")
            provider.repository_scoped(name).set_descriptor(ctx, digest, descriptor)
        for each in (provider, other_provider):
            for name in ("a", "b"):
                found = each.repository_scoped(name).stat(ctx, digest)
                assert found == Descriptor(digest, len(CONFIG), f"application/vnd.example.{name}")
            assert each.stat(ctx, digest) == Descriptor(digest, len(CONFIG), OCTET_STREAM)

    def test_what_all_know_can_be_forgotten_without_a_loss_to_those_who_have_it(
        self, provider: BlobDescriptorCacheProvider, other_provider: BlobDescriptorCacheProvider, ctx: Context
    ) -> None:
        digest = Digest.of(CONFIG)
        descriptor = Descriptor(digest, len(CONFIG), "application/vnd.example")
        provider.repository_scoped("a").set_descriptor(ctx, digest, descriptor)
        other_provider.clear(ctx, digest)
        with pytest.raises(BlobUnknown):
            provider.stat(ctx, digest)
        assert provider.repository_scoped("a").stat(ctx, digest) == descriptor


class _Client(Client):
    """Pushes and pulls of a registry in this process."""

    def __init__(self, registry: LinklessRegistry) -> None:
        super().__init__(compose(create_core(registry), [Layer("tracing", TracingLayer)]))

    def push(self, name: str, content: bytes, algorithm: str = "sha256") -> Digest:
        digest = Digest.of(content, algorithm)
        assert self.post(f"/v2/{name}/blobs/uploads/?digest={digest}", data=content).status_code == 201
        return digest

    def mount(self, name: str, digest: Digest, source: str) -> TestResponse:
        return self.post(f"/v2/{name}/blobs/uploads/?mount={digest}&from={source}")

    def push_image(self, name: str, tag: str) -> Digest:
        for content in (CONFIG, *LAYERS):
            self.push(name, content)
        manifest = self.manifest(CONFIG, *LAYERS)
        assert self.put_manifest(name, tag, manifest).status_code == 201
        return Digest.of(manifest)

    def put_manifest(self, name: str, tag: str, manifest: bytes) -> TestResponse:
        return self.put(f"/v2/{name}/manifests/{tag}", data=manifest, content_type=mediatypes.OCI_MANIFEST)

    @staticmethod
    def manifest(config: bytes, *layers: bytes) -> bytes:
        def described(content: bytes) -> dict[str, object]:
            return Descriptor(Digest.of(content), len(content)).to_dict()

        document = {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_MANIFEST,
            "config": described(config),
            "layers": [described(layer) for layer in layers],
        }
        return json.dumps(document).encode()
