"""Blob descriptors remembered in Redis or Valkey, under the keys of registry:2 and registry:3."""

from __future__ import annotations

from registry_wsgi_redis._version import __version__
from registry_wsgi_redis.provider import RedisCacheProvider

__all__ = ["RedisCacheProvider", "__version__"]
