"""The wiring of a registry over a driver and a cache, and nothing else."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from registry_wsgi.descriptor import Digest
from registry_wsgi.reference import check_name
from registry_wsgi.storage import catalog, paths
from registry_wsgi.storage.blobs import GlobalBlobStore
from registry_wsgi.storage.cached import CachedBlobStatter
from registry_wsgi.storage.linked import LinkedBlobStatter, LinkedBlobStore
from registry_wsgi.storage.manifests import ManifestStore
from registry_wsgi.storage.tags import TagStore
from registry_wsgi.storage.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import BlobAccessController, BlobDescriptorCacheProvider, StorageDriver
    from registry_wsgi.reference import Reference


class Registry:
    """A Namespace: all repositories in one storage driver.

    `cache` remembers descriptors; without one every look-up asks the driver. `delete_enabled`
    allows blobs, manifests and tags to be deleted.
    """

    def __init__(
        self,
        driver: StorageDriver,
        *,
        cache: BlobDescriptorCacheProvider | None = None,
        delete_enabled: bool = False,
    ) -> None:
        self.driver = driver
        self.cache = cache
        self.delete_enabled = delete_enabled
        self.blobs = GlobalBlobStore(driver)

    def repository(self, name: str) -> Repository:
        """Return the repository, which need not exist yet. Raises NameInvalid."""
        return Repository(self, check_name(name))

    def repositories(self, ctx: Context, last: str = "") -> Iterator[str]:
        """Yield the names after `last`, component by component: `a`, `a/b`, `a-b`, `a.b`."""
        return catalog.walk(ctx, self.driver, last)


class Repository:
    """The services of one repository, made when they are first asked for."""

    def __init__(self, registry: Registry, name: str) -> None:
        self.name = name
        self._registry = registry

    @cached_property
    def blobs(self) -> LinkedBlobStore:
        links = LinkedBlobStatter(self._registry.driver, self._registry.blobs, (partial(paths.layer_link, self.name),))
        return self._store(links, self._cached(links))

    @cached_property
    def manifests(self) -> ManifestStore:
        return ManifestStore(self._revisions, self.blobs, self.tags, delete_enabled=self._registry.delete_enabled)

    @cached_property
    def tags(self) -> TagStore:
        return TagStore(self._registry.driver, self.name, delete_enabled=self._registry.delete_enabled)

    def resolve(self, ctx: Context, reference: Reference) -> Digest:
        """Return the digest that a reference names. Raises ManifestUnknown for a tag that is not there."""
        return reference if isinstance(reference, Digest) else self.tags.get(ctx, reference)

    @cached_property
    def _revisions(self) -> LinkedBlobStore:
        # Release 2.1.0 linked manifests as layers; its trees are still about.
        link_paths = (partial(paths.revision_link, self.name), partial(paths.layer_link, self.name))
        links = LinkedBlobStatter(self._registry.driver, self._registry.blobs, link_paths)
        return self._store(links, links)

    def _cached(self, links: LinkedBlobStatter) -> BlobAccessController:
        cache = self._registry.cache
        return links if cache is None else CachedBlobStatter(cache.repository_scoped(self.name), links)

    def _store(self, links: LinkedBlobStatter, access: BlobAccessController) -> LinkedBlobStore:
        uploads = Uploads(self._registry.driver, self._registry.blobs, self.name)
        return LinkedBlobStore(
            self._registry.blobs, links, access, uploads, delete_enabled=self._registry.delete_enabled
        )
