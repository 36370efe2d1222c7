"""Repositories with their tags, and all repositories of a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from registry_wsgi.context import Context
    from registry_wsgi.descriptor import Descriptor, Digest
    from registry_wsgi.interfaces.blobs import BlobStore
    from registry_wsgi.interfaces.manifests import ManifestService, SignatureService
    from registry_wsgi.reference import Reference, Tag


class TagService(Protocol):
    def get(self, ctx: Context, tag: Tag) -> Digest:
        """Return the digest the tag points at. Raises ManifestUnknown."""

    def put(self, ctx: Context, tag: Tag, digest: Digest) -> None: ...
    def delete(self, ctx: Context, tag: Tag) -> None:
        """Raises Unsupported, ManifestUnknown."""

    def list(self, ctx: Context, last: str = "", n: int | None = None) -> list[Tag]:
        """Return the tags after `last`, which need not exist, in ASCII order: the first `n`, or all.

        Raises NameUnknown where the repository is none.
        """


class Repository(Protocol):
    name: str

    @property
    def blobs(self) -> BlobStore: ...
    @property
    def manifests(self) -> ManifestService: ...
    @property
    def tags(self) -> TagService: ...
    @property
    def signatures(self) -> SignatureService: ...
    def referrers(self, ctx: Context, subject: Digest, last: str = "") -> Iterator[Descriptor]:
        """Yield the manifests whose subject is `subject`, ordered by digest, those after `last`."""

    def resolve(self, ctx: Context, reference: Reference) -> Digest:
        """Return the digest that a reference names. Raises ManifestUnknown."""


class Namespace(Protocol):
    def repository(self, name: str) -> Repository:
        """Raises NameInvalid."""

    def holder(self, ctx: Context, digest: Digest, may_pull: Callable[[str], bool]) -> Repository | None:
        """Return some repository that has the blob and that `may_pull` allows, None where none is found."""

    def repositories(self, ctx: Context, last: str = "") -> Iterator[str]:
        """Yield the names after `last`, component by component: `a`, `a/b`, `a-b`, `a.b`."""
