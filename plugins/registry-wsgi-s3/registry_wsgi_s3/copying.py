"""Copies within the store: no byte of them passes through here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from registry_wsgi.errors import DriverError
from registry_wsgi_s3.section import LARGEST_PART

if TYPE_CHECKING:
    from registry_wsgi_s3.bucket import Bucket
    from registry_wsgi_s3.records import Object, Part
    from registry_wsgi_s3.section import Sizes


def copy(bucket: Bucket, source: str, found: Object, target: str, sizes: Sizes) -> None:
    """Copy the object at `source`, which is as `found`, to the key `target` in one step."""
    if found.size <= sizes.copy_threshold:
        bucket.copy(source, target, found.etag)
        return
    upload = bucket.begin(target)
    try:
        bucket.complete(target, upload, copied_parts(bucket, source, found, sizes, target=target, upload=upload))
    except BaseException:
        with suppress(DriverError):
            bucket.abort(target, upload)
        raise


def copied_parts(bucket: Bucket, source: str, found: Object, sizes: Sizes, *, target: str, upload: str) -> list[Part]:
    """Make the object at `source` the first parts of the upload, all of about the same size, several at once."""
    # Each has the size that was asked for or more, so that none is smaller than a part may be.
    count = max(1, found.size // sizes.copy_part, -(-found.size // LARGEST_PART))
    edges = [found.size * number // count for number in range(count + 1)]

    def copy_part(number: int) -> Part:
        start, end = edges[number : number + 2]
        return bucket.copy_part(source, found.etag, key=target, upload=upload, number=number + 1, start=start, end=end)

    with ThreadPoolExecutor(min(count, sizes.copies_at_once)) as pool:
        return list(pool.map(copy_part, range(count)))
