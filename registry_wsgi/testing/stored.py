"""A manifest that a registry has, with all that a test wants to know of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from registry_wsgi.manifests.document import descriptor

if TYPE_CHECKING:
    from registry_wsgi.descriptor import Descriptor, Digest


@dataclass(frozen=True)
class StoredManifest:
    """A manifest in the repository `name`: its descriptor, the very bytes, and the tag it was pushed or found under."""

    name: str
    descriptor: Descriptor
    payload: bytes = field(repr=False)
    tag: str = ""

    @property
    def digest(self) -> Digest:
        return self.descriptor.digest

    @property
    def media_type(self) -> str:
        return self.descriptor.media_type

    @property
    def size(self) -> int:
        return self.descriptor.size

    @property
    def manifest(self) -> dict[str, Any]:
        """Return the document that the bytes are."""
        document: dict[str, Any] = json.loads(self.payload)
        return document

    @property
    def config(self) -> Descriptor | None:
        """Return the descriptor of the configuration; an index has none."""
        return descriptor(self.manifest["config"], "config") if "config" in self.manifest else None

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        return self._descriptors("layers")

    @property
    def manifests(self) -> tuple[Descriptor, ...]:
        """Return what is in an index."""
        return self._descriptors("manifests")

    def _descriptors(self, member: str) -> tuple[Descriptor, ...]:
        return tuple(descriptor(each, member) for each in self.manifest.get(member, ()))
