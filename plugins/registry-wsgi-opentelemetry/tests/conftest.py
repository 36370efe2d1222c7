"""The core's own fixtures, by which registries are started."""

from tests.conftest import free_port, serve

__all__ = ["free_port", "serve"]
