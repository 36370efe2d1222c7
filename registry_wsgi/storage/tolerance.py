"""A cache is never a reason to fail: whatever a provider raises is logged, and storage answers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from registry_wsgi.errors import BlobUnknown, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.context import Context


@contextmanager
def tolerated(ctx: Context, failure: str) -> Iterator[None]:
    """Log as `failure` what the block raises, and go on after it; that the cache knows nothing is none.

    A provider that is Unavailable says so in the log by itself, and not at every request.
    """
    try:
        yield
    except (BlobUnknown, Unavailable):
        pass
    except Exception as error:
        ctx.error(failure, error=error)
