"""Descriptors remembered in the memory of this process, the longest unused forgotten first."""

# ruff: noqa: ARG002 - a cache's methods take the context; this one has no use for it.

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cachetools import LRUCache

from registry_wsgi.cache.checks import check_entry
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import BlobUnknown, ConfigurationError
from registry_wsgi.reference import check_name

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from registry_wsgi.context import Context

_GLOBAL = ""
"""The scope of what is known of a digest whatever the repository. No repository has this name."""


class InMemoryCacheProvider:
    """The cache provider `inmemory`: `size` entries over all scopes, 0 or less for no limit.

    The first descriptor that the global scope gets of a digest stays until it is cleared; a repository's is
    overwritten. A repository's media type and extra members never reach the global scope. It counts as
    `CacheStatistics` says; there are no `errors`.

    Methods raise DigestInvalid for what is no digest, and ValueError for a descriptor that cannot be one.
    """

    def __init__(self, *, size: int = 10000) -> None:
        if isinstance(size, bool) or not isinstance(size, int):
            raise ConfigurationError(f"inmemory cache: size must be a whole number of descriptors, not {size!r}")
        self._entries: MutableMapping[tuple[str, Digest], Descriptor] = LRUCache(size) if size > 0 else {}
        self._lock = threading.Lock()  # Even a look-up changes the order of an LRU cache.
        self.requests = 0
        self.hits = 0
        self.errors = 0

    def repository_scoped(self, name: str) -> RepositoryScopedCache:
        return RepositoryScopedCache(self, check_name(name))

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        return self.lookup(_GLOBAL, digest)

    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        check_entry(digest, descriptor)
        with self._lock:
            self._fill_global(digest, descriptor)

    def clear(self, ctx: Context, digest: Digest) -> None:
        self.forget(_GLOBAL, digest)

    def lookup(self, scope: str, digest: Digest) -> Descriptor:
        with self._lock:
            self.requests += 1
            known = self._entries.get((scope, digest))
            if known is not None:
                self.hits += 1
                return known
        raise BlobUnknown(Digest.parse(digest))

    def remember(self, scope: str, digest: Digest, descriptor: Descriptor) -> None:
        """Overwrite the repository's entry, and fill the global scope with what is the same everywhere.

        The canonical digest is filled in globally only: the repository may have a link to the other alone.
        """
        check_entry(digest, descriptor)
        with self._lock:
            self._fill_global(digest, Descriptor(descriptor.digest, descriptor.size))
            self._entries[scope, digest] = descriptor

    def forget(self, scope: str, digest: Digest) -> None:
        """Remove the scope's entry and the global one; other repositories keep theirs."""
        Digest.parse(digest)
        with self._lock:
            if self._entries.pop((scope, digest), None) is None:
                raise BlobUnknown(digest)
            self._entries.pop((_GLOBAL, digest), None)

    def _fill_global(self, digest: Digest, descriptor: Descriptor) -> None:
        for key in {descriptor.digest, digest}:
            self._entries.setdefault((_GLOBAL, key), descriptor)


class RepositoryScopedCache:
    """What one repository knows: never a digest that was not set through it, whatever the global scope knows."""

    def __init__(self, provider: InMemoryCacheProvider, name: str) -> None:
        self._provider = provider
        self._name = name

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        return self._provider.lookup(self._name, digest)

    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        self._provider.remember(self._name, digest, descriptor)

    def clear(self, ctx: Context, digest: Digest) -> None:
        self._provider.forget(self._name, digest)
