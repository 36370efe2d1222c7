"""Garbage collection: deleting blobs that no manifest of any repository uses, and on request manifests without a tag.

It may run while the registry serves. What is younger than the grace period is kept, and what somebody begins to rely
on meanwhile is told by them: see collection.py. Links go before the blob, so that none is ever found whose content is
gone; a process that is killed in between leaves a registry that is whole, and the rest to the next one.
"""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from registry_wsgi.descriptor import CANONICAL_ALGORITHM, Digest
from registry_wsgi.errors import BlobUnknown, ConfigurationError, DigestInvalid, PathNotFound, Unavailable
from registry_wsgi.storage import paths
from registry_wsgi.storage.marking import Marker
from registry_wsgi.storage.turn import turn
from registry_wsgi.storage.untagged import used_revisions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.context import Context
    from registry_wsgi.storage.marking import Marks
    from registry_wsgi.storage.registry import Registry
    from registry_wsgi.storage.turn import CollectionTurn

SHORTEST_GRACE = 3600.0
"""Seconds that a push may take from its first blob to its manifest, at the least, while the registry serves."""


@dataclass(slots=True)
class Collected:
    """What a collection deleted, or would have.

    `blobs` are their sizes by digest, `manifests` each a repository and a digest. `recent` counts the blobs that were
    kept for their age alone, `unreadable` are manifests of which it cannot be told what they use; all manifests and
    layers of their repositories are kept.
    """

    blobs: dict[Digest, int] = field(default_factory=dict)
    manifests: list[tuple[str, Digest]] = field(default_factory=list)
    unreadable: list[tuple[str, Digest]] = field(default_factory=list)
    used: int = 0
    recent: int = 0

    @property
    def size(self) -> int:
        """The bytes of all blobs together."""
        return sum(self.blobs.values())


def collect(
    ctx: Context,
    registry: Registry,
    *,
    grace: float,
    delete_untagged: bool = False,
    dry_run: bool = False,
    offline: bool = False,
) -> Collected:
    """Delete what is not used and older than `grace` seconds.

    `delete_untagged` also deletes manifests that no tag, index or subject leads to. `offline` says that nothing else
    uses the storage: then nothing is waited for, and any grace will do. Raises ConfigurationError for a grace that is
    too short, PathBusy while another collects, RegistryError where a link is damaged; no blob was deleted then.
    """
    if grace < 0:
        raise ConfigurationError(f"the grace period must be 0 or more, not {grace:g} s")
    if grace < SHORTEST_GRACE and not (offline or dry_run):
        raise ConfigurationError(f"the grace period must be an hour or more while the registry serves, not {grace:g} s")
    before = time.time() - grace
    if dry_run:
        return _Collector(registry, None, before, delete_untagged=delete_untagged).run(ctx)
    with turn(ctx, registry.driver, offline=offline) as mine:
        return _Collector(registry, mine, before, delete_untagged=delete_untagged).run(ctx)


class _Collector:
    """One collection, of what has not changed since `before`. Without a turn it deletes nothing."""

    def __init__(
        self, registry: Registry, mine: CollectionTurn | None, before: float, *, delete_untagged: bool
    ) -> None:
        self._registry = registry
        self._driver = registry.driver
        self._turn = mine
        self._before = before
        self._delete_untagged = delete_untagged
        self._alive = mine.alive if mine is not None else lambda: None
        self._marker = Marker(registry.driver, self._alive)
        self._collected = Collected()
        self._used: set[Digest] = set()

    def run(self, ctx: Context) -> Collected:
        names = list(self._registry.repositories(ctx))
        for name in names:
            self._mark(ctx, self._marker.marks(ctx, name))
        found = self._unused(ctx)
        links, aliases = self._links(ctx, names, found)
        for digest, size in found.items():
            if self._turn is None or self._delete(ctx, self._turn, digest, links[digest], aliases[digest]):
                self._collected.blobs[digest] = size
        return self._collected

    def _mark(self, ctx: Context, marks: Marks) -> None:
        if self._delete_untagged and not marks.unreadable:
            self._delete_revisions(ctx, marks)
        mentioned: set[Digest] = set(marks.tagged)
        for digest, revision in marks.revisions.items():
            mentioned |= {digest} | revision.mentions | revision.signatures
        mentioned |= {canonical for canonical, names in marks.aliases.items() if not mentioned.isdisjoint(names)}
        if marks.unreadable:
            self._collected.unreadable += [(marks.name, digest) for digest in marks.unreadable]
            mentioned |= {digest for digest, _ in self._marker.links(ctx, paths.layers(marks.name))}
        self._used |= {digest for digest in mentioned if digest.algorithm == CANONICAL_ALGORITHM}

    def _delete_revisions(self, ctx: Context, marks: Marks) -> None:
        """Delete the manifests that nothing leads to, and take them out of the marks."""
        unused = marks.revisions.keys() - used_revisions(marks, self._before)
        names = [name for digest in unused for name in (digest, *marks.aliases.get(digest, ()))]
        with self._turn.condemned(names) if self._turn is not None else nullcontext(set[Digest]()) as kept:
            for digest in unused - used_revisions(marks, self._before, kept):
                if self._turn is not None:
                    self._delete_revision(ctx, marks, digest)
                del marks.revisions[digest]
                self._collected.manifests.append((marks.name, digest))

    def _delete_revision(self, ctx: Context, marks: Marks, digest: Digest) -> None:
        for name in (digest, *marks.aliases.get(digest, ())):
            self._remove(ctx, paths.revision_link(marks.name, name).removesuffix("/link"))
        if (subject := marks.revisions[digest].subject) is not None:
            self._remove(ctx, paths.referrer(marks.name, subject, digest))

    def _unused(self, ctx: Context) -> dict[Digest, int]:
        """Return the sizes of the blobs that are neither used nor recent."""
        found = {}
        for digest in self._blobs(ctx):
            if digest in self._used:
                self._collected.used += 1
                continue
            self._alive()
            with suppress(PathNotFound):
                data = self._driver.stat(ctx, paths.blob_data(digest))
                if data.modified < self._before:
                    found[digest] = data.size
                else:
                    self._collected.recent += 1
        return found

    def _blobs(self, ctx: Context) -> Iterator[Digest]:
        with suppress(PathNotFound):
            for group in self._driver.list(ctx, paths.blobs(CANONICAL_ALGORITHM)):
                self._alive()
                with suppress(PathNotFound):
                    for child in self._driver.list(ctx, group):
                        with suppress(DigestInvalid):
                            yield Digest.parse(f"{CANONICAL_ALGORITHM}:{child.rpartition('/')[2]}")

    def _links(
        self, ctx: Context, names: list[str], found: dict[Digest, int]
    ) -> tuple[dict[Digest, list[str]], dict[Digest, list[Digest]]]:
        """Return the links to what was found, and its other digests; what has a recent link is taken out of `found`."""
        links: dict[Digest, list[str]] = defaultdict(list)
        aliases: dict[Digest, list[Digest]] = defaultdict(list)
        for name in names:
            own: dict[Digest, list[Digest]] = defaultdict(list)
            for digest, link in self._marker.links(ctx, paths.layers(name), aliases=own):
                if digest not in found or (modified := self._marker.modified(ctx, link)) is None:
                    continue
                if modified < self._before:
                    links[digest].append(link)
                else:
                    del found[digest]
                    self._collected.recent += 1
            for digest, link in self._marker.signature_links(ctx, name):
                if digest in found:
                    links[digest].append(link)
            for digest in own.keys() & found.keys():
                aliases[digest] += own[digest]
                links[digest] += [paths.layer_link(name, alias) for alias in own[digest]]
        return links, aliases

    def _delete(
        self, ctx: Context, mine: CollectionTurn, digest: Digest, links: list[str], aliases: list[Digest]
    ) -> bool:
        with mine.condemned({digest, *aliases}) as kept:
            if kept:
                return False
            for link in links:
                self._remove(ctx, link.removesuffix("/link"))
                self._registry.recent.forget(ctx, link)
            self._remove(ctx, data := paths.blob_data(digest))
            self._remove(ctx, data.removesuffix("/data"))
        self._forget(ctx, digest)
        return True

    def _remove(self, ctx: Context, path: str) -> None:
        with suppress(PathNotFound):
            self._driver.delete(ctx, path)

    def _forget(self, ctx: Context, digest: Digest) -> None:
        """Spare the cache what is gone; no hit of it is believed without a link anyway."""
        if self._registry.cache is not None:
            with suppress(BlobUnknown, Unavailable):
                self._registry.cache.clear(ctx, digest)
