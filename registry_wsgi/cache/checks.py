"""What every cache provider checks before it remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.descriptor import Digest

if TYPE_CHECKING:
    from registry_wsgi.descriptor import Descriptor


def check_entry(digest: Digest, descriptor: Descriptor) -> None:
    """Check that `descriptor` can be what `digest` names.

    Raises DigestInvalid for what is no digest, and ValueError for a descriptor without a size or a media
    type, or of another digest of the same algorithm.
    """
    asked, canonical = Digest.parse(digest), Digest.parse(descriptor.digest)
    if asked.algorithm == canonical.algorithm and asked != canonical:
        raise ValueError(f"descriptor of {canonical} set for another digest of its algorithm: {asked}")
    if descriptor.size < 0:
        raise ValueError(f"descriptor of {canonical} has a negative size: {descriptor.size}")
    if not descriptor.media_type:
        raise ValueError(f"descriptor of {canonical} has no media type")
