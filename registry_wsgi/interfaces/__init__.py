"""Every seam of the system: Protocols and what they speak of, no implementation. All names are imported from here.

`ctx` is explicit and comes first. Methods raise the errors of `registry_wsgi.errors`:
services raise RegistryError classes, storage drivers raise DriverError classes.
A seam that plugins fill is defined by its conformance suite in `registry_wsgi.testing`.
"""

from __future__ import annotations

from registry_wsgi.interfaces.access import (
    Access,
    AccessController,
    Authorize,
    Document,
    Grant,
    Recalling,
    TokenIssuer,
    TokenRequest,
)
from registry_wsgi.interfaces.blobs import (
    BlobDeleter,
    BlobIngester,
    BlobProvider,
    BlobRedirector,
    BlobStore,
    BlobWriter,
)
from registry_wsgi.interfaces.descriptors import (
    BlobAccessController,
    BlobDescriptorCacheProvider,
    BlobDescriptorService,
    BlobStatter,
    CacheStatistics,
    LinkWitness,
)
from registry_wsgi.interfaces.drivers import (
    CommittingFlushed,
    FileInfo,
    FileReader,
    FileWriter,
    OrderedLister,
    Probing,
    Redirecting,
    Staging,
    StorageDriver,
)
from registry_wsgi.interfaces.events import EventRequest, EventSink, EventSource, Notification
from registry_wsgi.interfaces.manifests import (
    Manifest,
    ManifestService,
    ManifestSigner,
    SignatureArtifact,
    SignatureService,
)
from registry_wsgi.interfaces.outbox import DeliveryClaim, EndpointStatistics, Outbox, Parcel, StoredParcel
from registry_wsgi.interfaces.repositories import Namespace, Repository, TagService
from registry_wsgi.interfaces.wsgi import WSGIApplication

__all__ = [
    "Access",
    "AccessController",
    "Authorize",
    "BlobAccessController",
    "BlobDeleter",
    "BlobDescriptorCacheProvider",
    "BlobDescriptorService",
    "BlobIngester",
    "BlobProvider",
    "BlobRedirector",
    "BlobStatter",
    "BlobStore",
    "BlobWriter",
    "CacheStatistics",
    "CommittingFlushed",
    "DeliveryClaim",
    "Document",
    "EndpointStatistics",
    "EventRequest",
    "EventSink",
    "EventSource",
    "FileInfo",
    "FileReader",
    "FileWriter",
    "Grant",
    "LinkWitness",
    "Manifest",
    "ManifestService",
    "ManifestSigner",
    "Namespace",
    "Notification",
    "OrderedLister",
    "Outbox",
    "Parcel",
    "Probing",
    "Recalling",
    "Redirecting",
    "Repository",
    "SignatureArtifact",
    "SignatureService",
    "Staging",
    "StorageDriver",
    "StoredParcel",
    "TagService",
    "TokenIssuer",
    "TokenRequest",
    "WSGIApplication",
]
