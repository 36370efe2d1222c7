"""A registry's storage in Azure Blob Storage, Google Cloud Storage and whatever else obstore knows."""

from __future__ import annotations

from registry_wsgi_objectstore._version import __version__
from registry_wsgi_objectstore.driver import ObjectStoreDriver

__all__ = ["ObjectStoreDriver", "__version__"]
