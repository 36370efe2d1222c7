"""Multipart uploads that nobody will finish: their parts are paid for, and no listing of objects shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.errors import PathNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi_s3.bucket import Bucket
    from registry_wsgi_s3.records import Upload


def abandoned(bucket: Bucket, before: float, *, dry_run: bool) -> Iterator[str]:
    """Abort the uploads below the root to which nothing has come since `before`, and yield their paths."""
    prefix = f"{bucket.root}/" if bucket.root else ""
    for upload in list(bucket.uploads(prefix)):
        try:
            if _last_change(bucket, upload) < before:
                if not dry_run:
                    bucket.abort(upload.key, upload.id)
                yield bucket.path(upload.key)
        except PathNotFound:  # finished meanwhile
            continue


def _last_change(bucket: Bucket, upload: Upload) -> float:
    return max([upload.initiated, *(when for _, when in bucket.parts(upload.key, upload.id).values())])
