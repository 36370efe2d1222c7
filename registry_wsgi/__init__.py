"""A container and artifact registry as a set of WSGI layers and plugins.

The public names are resolved when they are first used (PEP 562), so that importing the package
imports nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from registry_wsgi._version import __version__

if TYPE_CHECKING:
    from registry_wsgi.app import create_app, mount
    from registry_wsgi.descriptor import Descriptor
    from registry_wsgi.errors import RegistryError
    from registry_wsgi.middleware.compose import compose
    from registry_wsgi.storage.registry import Registry

__all__ = ["Descriptor", "Registry", "RegistryError", "__version__", "compose", "create_app", "mount"]

_HOMES = {
    "create_app": "registry_wsgi.app",
    "mount": "registry_wsgi.app",
    "compose": "registry_wsgi.middleware.compose",
    "Registry": "registry_wsgi.storage.registry",
    "Descriptor": "registry_wsgi.descriptor",
    "RegistryError": "registry_wsgi.errors",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
