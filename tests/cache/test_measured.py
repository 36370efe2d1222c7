"""What is counted of a cache: every call that it did not answer, whichever it was."""

from __future__ import annotations

from contextlib import suppress

from registry_wsgi.cache.measured import MeasuredCacheProvider
from registry_wsgi.context import Context
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import Unavailable
from registry_wsgi.metrics.families import CACHE_ERRORS, CACHE_REQUESTS
from registry_wsgi.metrics.measurements import Measurements

CTX = Context()
DIGEST = Digest.of(b"content")


class Away:
    """A cache provider that cannot be reached."""

    def repository_scoped(self, name: str) -> Away:
        return self

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        raise Unavailable("out of reach")

    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        raise Unavailable("out of reach")

    def clear(self, ctx: Context, digest: Digest) -> None:
        raise Unavailable("out of reach")


def test_every_call_that_a_cache_did_not_answer_is_an_error() -> None:
    measurements = Measurements()
    scoped = MeasuredCacheProvider(Away(), measurements).repository_scoped("a")
    for call in (
        lambda: scoped.stat(CTX, DIGEST),
        lambda: scoped.set_descriptor(CTX, DIGEST, Descriptor(DIGEST, 7)),
        lambda: scoped.clear(CTX, DIGEST),
    ):
        with suppress(Unavailable):
            call()
    counted = measurements.snapshot()
    assert (counted[(CACHE_REQUESTS.name,)], counted[(CACHE_ERRORS.name,)]) == ([1.0], [3.0])
