"""What is in use: found by reading every manifest of every repository.

A manifest uses each digest that its text mentions, wherever that stands: as config, layer, subject, or member of an
index, in a format of which nothing is known here, or in an annotation. That may keep too much, and never too little.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from registry_wsgi.descriptor import ALGORITHMS, CANONICAL_ALGORITHM, Digest
from registry_wsgi.errors import BlobUnknown, DigestInvalid, ManifestTooLarge, PathNotFound
from registry_wsgi.storage import paths
from registry_wsgi.storage.blobs import GlobalBlobStore
from registry_wsgi.storage.links import read_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver

_MENTIONED = re.compile(rb"sha(?:256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})")
"""Digests are ASCII; what a JSON escape hides is found by reading the document."""


@dataclass(slots=True)
class Revision:
    """A manifest of a repository: when it was linked, its signatures of schema 1, and what its text says.

    `members` are those of an index, which are manifests too.
    """

    modified: float
    signatures: frozenset[Digest]
    mentions: frozenset[Digest] = frozenset()
    members: tuple[Digest, ...] = ()
    subject: Digest | None = None


@dataclass(slots=True)
class Marks:
    """What one repository uses, as its links say.

    `revisions` and `aliases` are by canonical digest: manifests, and the other digests that the same content has here.
    `tagged` are what tags point at. Of the `unreadable` it cannot be told what they use.
    """

    name: str
    revisions: dict[Digest, Revision] = field(default_factory=dict)
    aliases: dict[Digest, list[Digest]] = field(default_factory=lambda: defaultdict(list))
    tagged: set[Digest] = field(default_factory=set)
    unreadable: list[Digest] = field(default_factory=list)

    def canonical(self) -> dict[Digest, Digest]:
        """Return the canonical digest of each alias."""
        return {alias: digest for digest, aliases in self.aliases.items() for alias in aliases}


class Marker:
    """Reads the links and manifests of repositories, and calls `alive` before each look."""

    def __init__(self, driver: StorageDriver, alive: Callable[[], None]) -> None:
        self._driver = driver
        self._blobs = GlobalBlobStore(driver)
        self._alive = alive

    def marks(self, ctx: Context, name: str) -> Marks:
        """Return what a repository uses. Raises RegistryError where a link is damaged, DriverError."""
        marks = Marks(name)
        marks.tagged = set(self._targets(ctx, paths.tags(name), "current/link"))
        for digest, path in self.links(ctx, paths.revisions(name), aliases=marks.aliases):
            self._add(ctx, marks, digest, path)
        layers = dict(self.links(ctx, paths.layers(name), aliases=marks.aliases))
        # Release 2.1.0 linked manifests as layers, and so may a client have pushed the members of an index.
        canonical = marks.canonical()
        ahead = [*marks.tagged, *(member for revision in marks.revisions.values() for member in revision.members)]
        while ahead:
            digest = ahead.pop()
            digest = canonical.get(digest, digest)
            if digest in layers and digest not in marks.revisions and self._add(ctx, marks, digest, layers[digest]):
                ahead += marks.revisions[digest].members
        return marks

    def links(
        self, ctx: Context, directory: str, *, aliases: dict[Digest, list[Digest]] | None = None
    ) -> Iterator[tuple[Digest, str]]:
        """Yield the canonical digests that are linked in a directory of links, with the path of the link.

        Links of other digests are added to `aliases`, under the canonical ones. What is no link is skipped.
        """
        for algorithm in ALGORITHMS:
            for child in self._children(ctx, f"{directory}/{algorithm}"):
                with suppress(DigestInvalid):
                    digest = Digest.parse(f"{algorithm}:{child.rpartition('/')[2]}")
                    if algorithm == CANONICAL_ALGORITHM:
                        yield digest, f"{child}/link"
                    elif aliases is not None and (canonical := self._link(ctx, f"{child}/link")) is not None:
                        aliases[canonical].append(digest)

    def signature_links(self, ctx: Context, name: str) -> Iterator[tuple[Digest, str]]:
        """Yield the signatures of schema 1 that are linked, below manifests that are there or not."""
        for _, revision in self.links(ctx, paths.revisions(name)):
            yield from self.links(ctx, f"{revision.removesuffix('/link')}/signatures")

    def modified(self, ctx: Context, path: str) -> float | None:
        """Return when a link was written, None where there is none."""
        self._alive()
        try:
            return self._driver.stat(ctx, path).modified
        except PathNotFound:
            return None

    def _targets(self, ctx: Context, directory: str, link: str) -> Iterator[Digest]:
        for child in self._children(ctx, directory):
            if (digest := self._link(ctx, f"{child}/{link}")) is not None:
                yield digest

    def _link(self, ctx: Context, path: str) -> Digest | None:
        try:
            return read_link(self._driver, ctx, path)
        except PathNotFound:
            return None

    def _add(self, ctx: Context, marks: Marks, digest: Digest, path: str) -> bool:
        """Add a manifest; False where none is linked. A directory without a link is what a delete has left."""
        if (modified := self.modified(ctx, path)) is None:
            return False
        signatures = self.links(ctx, f"{path.removesuffix('/link')}/signatures")
        revision = Revision(modified, frozenset(signature for signature, _ in signatures))
        try:
            _read(revision, self._blobs.get(ctx, digest))
        except (BlobUnknown, ManifestTooLarge):
            marks.unreadable.append(digest)
        marks.revisions[digest] = revision
        return True

    def _children(self, ctx: Context, directory: str) -> list[str]:
        self._alive()
        try:
            return self._driver.list(ctx, directory)
        except PathNotFound:
            return []


def _read(revision: Revision, content: bytes) -> None:
    mentions = _digests(content)
    with suppress(ValueError, RecursionError):
        document = json.loads(content)
        if b"\\u" in content:
            mentions |= _digests(json.dumps(document).encode())
        if isinstance(document, dict):
            revision.subject = next(_described([document.get("subject")]), None)
            members = document.get("manifests")
            revision.members = tuple(_described(members if isinstance(members, list) else ()))
    revision.mentions = frozenset(mentions)


def _digests(text: bytes) -> set[Digest]:
    return {Digest(found.decode()) for found in _MENTIONED.findall(text)}


def _described(descriptors: Iterable[object]) -> Iterator[Digest]:
    """Yield the digests of those that are descriptors."""
    for each in descriptors:
        with suppress(DigestInvalid):
            yield Digest.parse(str(each.get("digest")) if isinstance(each, dict) else "")
