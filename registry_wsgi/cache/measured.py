"""A cache of descriptors of which it is counted how often it helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.errors import BlobUnknown, Unavailable
from registry_wsgi.metrics.families import CACHE_ERRORS, CACHE_HITS, CACHE_MISSES, CACHE_REQUESTS

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.descriptor import Descriptor, Digest
    from registry_wsgi.interfaces import BlobDescriptorCacheProvider, BlobDescriptorService
    from registry_wsgi.metrics.measurements import Measurements


class MeasuredService:
    """A descriptor service that hands everything on."""

    def __init__(self, service: BlobDescriptorService, measurements: Measurements) -> None:
        self._service = service
        self._measurements = measurements
        families = (CACHE_REQUESTS, CACHE_HITS, CACHE_MISSES, CACHE_ERRORS)
        self._requests, self._hits, self._misses, self._errors = map(measurements.series, families)

    def stat(self, ctx: Context, digest: Digest) -> Descriptor:
        self._measurements.add(self._requests)
        try:
            descriptor = self._service.stat(ctx, digest)
        except BlobUnknown:
            self._measurements.add(self._misses)
            raise
        except Unavailable:
            self._measurements.add(self._errors)
            raise
        self._measurements.add(self._hits)
        return descriptor

    def set_descriptor(self, ctx: Context, digest: Digest, descriptor: Descriptor) -> None:
        try:
            self._service.set_descriptor(ctx, digest, descriptor)
        except Unavailable:
            self._measurements.add(self._errors)
            raise

    def clear(self, ctx: Context, digest: Digest) -> None:
        try:
            self._service.clear(ctx, digest)
        except Unavailable:
            self._measurements.add(self._errors)
            raise


class MeasuredCacheProvider(MeasuredService):
    """Put around a provider only where metrics are wanted."""

    def __init__(self, provider: BlobDescriptorCacheProvider, measurements: Measurements) -> None:
        super().__init__(provider, measurements)
        self._provider = provider

    def repository_scoped(self, name: str) -> MeasuredService:
        return MeasuredService(self._provider.repository_scoped(name), self._measurements)
