"""The wiring of a registry over a driver and a cache, and nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING

from registry_wsgi.descriptor import CANONICAL_ALGORITHM, Digest
from registry_wsgi.errors import BlobUnknown
from registry_wsgi.lazy import lazy
from registry_wsgi.reference import check_name
from registry_wsgi.storage import catalog, paths
from registry_wsgi.storage.blobs import GlobalBlobStore
from registry_wsgi.storage.cached import CachedBlobStatter
from registry_wsgi.storage.hashing import choose_library
from registry_wsgi.storage.linked import LinkedBlobStatter, LinkedBlobStore
from registry_wsgi.storage.manifests import ManifestStore
from registry_wsgi.storage.recent import RecentLinks
from registry_wsgi.storage.referrers import ReferrerStore
from registry_wsgi.storage.schema1 import Schema1Manifests
from registry_wsgi.storage.signatures import SignatureStore
from registry_wsgi.storage.tags import TagStore
from registry_wsgi.storage.uploads import Uploads
from registry_wsgi.storage.validation import ManifestValidation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from registry_wsgi.context import Context
    from registry_wsgi.descriptor import Descriptor
    from registry_wsgi.interfaces import (
        BlobAccessController,
        BlobDescriptorCacheProvider,
        ManifestSigner,
        StorageDriver,
    )
    from registry_wsgi.reference import Reference
    from registry_wsgi.storage.witnessed import WitnessedLinks

_HOLDERS_TRIED = 1000
_FETCHERS = 8


class Registry:
    """A Namespace: all repositories in one storage driver.

    `cache` remembers descriptors; without one every look-up asks the driver. `validation` says what manifests must
    be beyond their format. `delete_enabled`
    allows blobs, manifests and tags to be deleted. A `signer` allows manifests of schema 1 to be pushed. A link that
    was seen is believed for `believed` seconds by whoever reads, and that of a layer longer if `witnessed` says so.
    """

    def __init__(
        self,
        driver: StorageDriver,
        *,
        cache: BlobDescriptorCacheProvider | None = None,
        validation: ManifestValidation | None = None,
        delete_enabled: bool = False,
        signer: ManifestSigner | None = None,
        believed: float = 0.0,
        witnessed: WitnessedLinks | None = None,
    ) -> None:
        self.driver = driver
        self.cache = cache
        self.validation = validation or ManifestValidation()
        self.delete_enabled = delete_enabled
        self.signer = signer
        self.blobs = GlobalBlobStore(driver)
        self.recent = RecentLinks(driver, believed, witnessed)
        choose_library()

    @cached_property
    def fetchers(self) -> ThreadPoolExecutor:
        """The threads that fetch signatures; there are none before the first one is fetched."""
        return ThreadPoolExecutor(_FETCHERS, "registry-wsgi-fetcher")

    def repository(self, name: str) -> Repository:
        """Return the repository, which need not exist yet. Raises NameInvalid."""
        return Repository(self, check_name(name))

    def holder(self, ctx: Context, digest: Digest, may_pull: Callable[[str], bool]) -> Repository | None:
        """Return some repository that has the blob and that `may_pull` allows.

        None where no repository has it, or none among the first `_HOLDERS_TRIED`: a look-up that only
        saves an upload may not cost more than one.
        """
        try:
            # Only a canonical digest names content by itself; others are known to the links of repositories.
            if digest.algorithm == CANONICAL_ALGORITHM:
                self.blobs.stat(ctx, digest)
        except BlobUnknown:
            return None
        for name in islice(self.repositories(ctx), _HOLDERS_TRIED):
            candidate = Repository(self, name)
            if may_pull(name) and candidate.blobs.linked(ctx, digest):
                return candidate
        return None

    def repositories(self, ctx: Context, last: str = "") -> Iterator[str]:
        """Yield the names after `last`, component by component: `a`, `a/b`, `a-b`, `a.b`."""
        return catalog.walk(ctx, self.driver, last)


class Repository:
    """The services of one repository, made when they are first asked for."""

    def __init__(self, registry: Registry, name: str) -> None:
        self.name = name
        self._registry = registry

    @lazy
    def blobs(self) -> LinkedBlobStore:
        links = self._links(partial(paths.layer_link, self.name))
        return self._store(links, self._cached(links))

    @lazy
    def manifests(self) -> ManifestStore:
        return ManifestStore(
            self._revisions,
            self.blobs,
            self.tags,
            self._referrers,
            Schema1Manifests(self.name, self.blobs, self.signatures, self._registry.signer),
            validation=self._registry.validation,
            delete_enabled=self._registry.delete_enabled,
        )

    @lazy
    def tags(self) -> TagStore:
        return TagStore(self._registry.driver, self.name, delete_enabled=self._registry.delete_enabled)

    @lazy
    def signatures(self) -> SignatureStore:
        registry = self._registry
        return SignatureStore(registry.driver, registry.blobs, self, lambda: registry.fetchers)

    def referrers(self, ctx: Context, subject: Digest, last: str = "") -> Iterator[Descriptor]:
        """Yield the manifests whose subject is `subject`, ordered by digest, those after `last`."""
        return self._referrers.list(ctx, subject, self.manifests, last)

    def resolve(self, ctx: Context, reference: Reference) -> Digest:
        """Return the digest that a reference names. Raises ManifestUnknown for a tag that is not there."""
        return reference if isinstance(reference, Digest) else self.tags.get(ctx, reference)

    @lazy
    def _referrers(self) -> ReferrerStore:
        return ReferrerStore(self._registry.driver, self.name, self.tags)

    @lazy
    def _revisions(self) -> LinkedBlobStore:
        # Release 2.1.0 linked manifests as layers; its trees are still about.
        links = self._links(partial(paths.revision_link, self.name), partial(paths.layer_link, self.name))
        return self._store(links, links)

    def _links(self, *link_paths: Callable[[Digest], str]) -> LinkedBlobStatter:
        registry = self._registry
        return LinkedBlobStatter(registry.driver, registry.blobs, link_paths, registry.recent)

    def _cached(self, links: LinkedBlobStatter) -> BlobAccessController:
        cache = self._registry.cache
        if cache is None:
            return links
        return CachedBlobStatter(cache.repository_scoped(self.name), links, self._registry.blobs)

    def _store(self, links: LinkedBlobStatter, access: BlobAccessController) -> LinkedBlobStore:
        uploads = Uploads(self._registry.driver, self._registry.blobs, self.name)
        return LinkedBlobStore(
            self._registry.blobs, links, access, uploads, delete_enabled=self._registry.delete_enabled
        )
