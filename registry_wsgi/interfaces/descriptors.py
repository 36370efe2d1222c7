"""What is known of blobs by their digests, and the caches that remember it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.descriptor import Descriptor, Digest


class BlobStatter(Protocol):
    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        """Return what is known of the digest; the descriptor's own is the canonical one. Raises BlobUnknown."""


@runtime_checkable
class BlobDescriptorService(BlobStatter, Protocol):
    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        """Remember `descriptor`, whose digest is canonical, for `digest`, which may be of another algorithm."""

    def clear(self, ctx: Context, digest: Digest) -> None:
        """Forget the digest. Raises BlobUnknown where there is nothing to forget."""


class BlobAccessController(BlobDescriptorService, Protocol):
    """The descriptor service that decides what a repository may reach: no link, no blob."""

    def linked(self, ctx: Context, digest: Digest) -> bool:
        """Tell whether the repository has a link to the digest, asking storage itself, now or a moment ago."""

    def known(self, ctx: Context, digest: Digest) -> Descriptor:
        """Return what `stat` does, for whoever opens the data next: only that tells whether it is there."""


class BlobDescriptorCacheProvider(BlobDescriptorService, Protocol):
    """Methods raise Unavailable while what remembers cannot be reached; the provider logs that itself, now and then."""

    def repository_scoped(self, name: str) -> BlobDescriptorService:
        """Return the service of one repository; a repository's media types stay in it. Raises NameInvalid."""


@runtime_checkable
class LinkWitness(Protocol):
    """The ability of a cache provider that processes share to tell one what another saw: a link in storage.

    Of a delete and of a look that it overtook, whichever is told last, the delete counts: what was withdrawn nobody
    testifies to for as long as was said. Methods raise Unavailable while what remembers cannot be reached.
    """

    def testify(self, ctx: Context, link: str, seconds: float) -> None:
        """Say for `seconds` that the link at that path of storage is there, unless somebody does, or has withdrawn it.

        It is not said for any longer where it is said again meanwhile.
        """

    def testified(self, ctx: Context, link: str) -> bool:
        """Tell whether somebody says so."""

    def withdraw(self, ctx: Context, link: str, seconds: float) -> None:
        """Have nobody say so, from this moment on for `seconds`."""


@runtime_checkable
class CacheStatistics(Protocol):
    """The ability of a cache provider to tell how it does, in numbers that only grow, of this process.

    `requests` counts the calls of `stat`, `hits` those that found something, and `errors` the calls of any method that
    what remembers did not answer.
    """

    requests: int
    hits: int
    errors: int
