"""Descriptors as hashes: the global entries of registry:2, and the same fields in those of repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry_wsgi.cache.checks import check_entry
from registry_wsgi.descriptor import OCTET_STREAM, Descriptor, Digest
from registry_wsgi.errors import BlobUnknown, DigestInvalid
from registry_wsgi_redis.keys import DIGEST, MEDIA_TYPE, SIZE
from registry_wsgi_redis.transactions import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.client import Pipeline

    from registry_wsgi_redis.keys import Keys

FIELDS = [DIGEST, SIZE, MEDIA_TYPE]


def values(descriptor: Descriptor) -> dict[Any, Any]:
    return {DIGEST: descriptor.digest, SIZE: descriptor.size, MEDIA_TYPE: descriptor.media_type}


def fill(keys: Keys, digest: Digest, descriptor: Descriptor) -> list[Step]:
    """Return what writes the global entries of the digest and of the canonical one; the first media type stays."""
    names = dict.fromkeys((digest, descriptor.digest))
    return [_filled(keys.blob(name), descriptor) for name in names]


def _filled(key: str, descriptor: Descriptor) -> Step:
    """Digest and size are the content's own and cannot differ: writing them again mends what was damaged."""

    def queue(pipe: Pipeline) -> None:
        pipe.hset(key, mapping={DIGEST: descriptor.digest, SIZE: descriptor.size})
        pipe.hsetnx(key, MEDIA_TYPE, descriptor.media_type)

    return Step(key, queue)


def described(digest: Digest, stored: Sequence[bytes | None]) -> Descriptor:
    """Return what an entry's FIELDS say. One that lacks something, or says what cannot be, is as good as none.

    registry 2.0 named the size `length`, and registry:2's own delete leaves it behind. Raises BlobUnknown.
    """
    canonical, size, media_type = map(text, stored)
    try:
        descriptor = Descriptor(Digest.parse(canonical), int(size), media_type or OCTET_STREAM)
        check_entry(digest, descriptor)
    except (DigestInvalid, ValueError) as error:
        raise BlobUnknown(digest) from error
    return descriptor


def text(value: bytes | None) -> str:
    return "" if value is None else value.decode("utf-8", "replace")
