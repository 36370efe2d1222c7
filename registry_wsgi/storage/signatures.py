"""What signs the manifests of one repository: the signatures inside of schema 1, the artifacts of cosign and Notation.

A signature of schema 1 is a blob, compact JSON, with a link under the revision that it signs.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from registry_wsgi.descriptor import CANONICAL_ALGORITHM, Digest
from registry_wsgi.errors import DigestInvalid, PathNotFound
from registry_wsgi.storage import paths
from registry_wsgi.storage.artifacts import signature_artifacts
from registry_wsgi.storage.links import read_link

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import Repository, SignatureArtifact, StorageDriver
    from registry_wsgi.storage.blobs import GlobalBlobStore


class SignatureStore:
    """A SignatureService. `pool` returns the executor that fetches, which belongs to the registry."""

    def __init__(
        self, driver: StorageDriver, blobs: GlobalBlobStore, repository: Repository, pool: Callable[[], Executor]
    ) -> None:
        self._driver = driver
        self._blobs = blobs
        self._repository = repository
        self._pool = pool

    def get(self, ctx: Context, digest: Digest) -> list[bytes]:
        """Fetch all at once and collect them in the order of their digests, so that nothing is shared by the workers.

        Every failure is logged; the first one in that order is raised when all have ended.
        """
        found = self._linked(ctx, digest)
        if not found:
            return []
        # A context has a span for each thread of work: the copies keep theirs apart.
        fetches = [self._pool().submit(self._fetch, copy.copy(ctx), digest, signature) for signature in found]
        failures = [failure for fetch in fetches if (failure := fetch.exception()) is not None]
        for failure in failures:
            ctx.error("a signature could not be fetched", error=failure, **{"manifest.digest": digest})
        if failures:
            raise failures[0]
        return [fetch.result() for fetch in fetches]

    def put(self, ctx: Context, digest: Digest, *signatures: bytes) -> None:
        for content in signatures:
            stored = self._blobs.put(ctx, content)
            link = paths.signature_link(self._repository.name, digest, stored.digest)
            self._driver.put_content(ctx, link, stored.digest.encode())
            self._blobs.keep(ctx, stored.digest)

    def attached(self, ctx: Context, digest: Digest) -> Sequence[SignatureArtifact]:
        return signature_artifacts(ctx, self._repository, digest)

    def _linked(self, ctx: Context, digest: Digest) -> list[Digest]:
        """Return the digests of the links, in order. What an operator may have left beside them is skipped."""
        try:
            children = self._driver.list(ctx, paths.signatures(self._repository.name, digest))
        except PathNotFound:
            return []
        found = []
        for child in sorted(children):
            try:
                found.append(Digest.parse(f"{CANONICAL_ALGORITHM}:{child.rpartition('/')[2]}"))
            except DigestInvalid:
                ctx.error("not a signature, and skipped", path=child)
        return found

    def _fetch(self, ctx: Context, digest: Digest, signature: Digest) -> bytes:
        ctx.debug("fetching signature", **{"manifest.digest": digest, "signature.digest": signature})
        link = paths.signature_link(self._repository.name, digest, signature)
        return self._blobs.get(ctx, read_link(self._driver, ctx, link))
