"""The storage driver `s3`: the tree of registry:2 and registry:3 in a bucket of S3 or of a store that speaks it."""

from __future__ import annotations

from registry_wsgi_s3._version import __version__
from registry_wsgi_s3.driver import S3Driver

__all__ = ["S3Driver", "__version__"]
