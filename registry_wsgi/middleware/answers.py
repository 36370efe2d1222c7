"""Answers that are worth remembering, and what in storage each of them stands on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from registry_wsgi.context import Context
from registry_wsgi.descriptor import CANONICAL_ALGORITHM, Digest
from registry_wsgi.errors import DriverError
from registry_wsgi.interfaces import Probing
from registry_wsgi.mediatypes import SCHEMA1_MANIFESTS
from registry_wsgi.reference import Tag
from registry_wsgi.routes import Resource
from registry_wsgi.storage import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from registry_wsgi.context import Event
    from registry_wsgi.interfaces import FileInfo, StorageDriver
    from registry_wsgi.middleware.started import Started
    from registry_wsgi.routes import Route
    from registry_wsgi.storage.recent import RecentLinks

    Headers = Sequence[tuple[str, str]]
    Check = Callable[[], bool]

_OVERHEAD = 2048
"""Bytes of memory that an answer takes beside its content: headers, an event, paths; some 1,600 were counted."""


@dataclass(slots=True)
class Answer:
    """What is sent for as long as all of `stands` hold. `content` is None where it is in the file at `path`.

    From `next_look` on, by the clock of a Context's `started`, `is_unchanged` is to be asked as well: of its data.
    `weight` is what remembering it takes, in bytes of memory.
    """

    status: str
    headers: Headers
    events: Sequence[Event]
    stands: Sequence[Check]
    content: bytes | None
    path: str
    size: int
    is_unchanged: Check
    weight: int
    next_look: float = 0.0


class Answers:
    """Tells which answers of the core can be given again, over one driver.

    Content of more than `largest` bytes is read anew each time. Where the driver cannot probe, only manifests are
    kept: a tag is read each time, which is one call, and the links are those of `recent`, if it believes anything.
    """

    def __init__(self, driver: StorageDriver, *, largest: int, recent: RecentLinks | None) -> None:
        # Asking an object for a Protocol's methods takes longer than all that is done here for a request.
        self._probe = driver.probe if isinstance(driver, Probing) else _unable
        self.probing = self._probe(paths.ROOT) is not None
        self._driver = driver
        self._largest = largest
        self._recent = recent if recent is not None and recent.seconds else None
        self._ctx = Context()  # of no request in particular

    def worth_keeping(
        self, route: Route, started: Started, body: Iterable[bytes], events: Sequence[Event]
    ) -> Answer | None:
        """Return what the core answered in a form to be given again; None where it cannot be.

        Signatures of schema 1 may be added to what a digest names, so that it has to be put together each time. The
        link of another algorithm's digest leads to one that the answer does not tell.
        """
        if not started.status.startswith("200 ") or started.header("content-type") in SCHEMA1_MANIFESTS:
            return None
        digest = started.header("docker-content-digest")
        if not digest.startswith(f"{CANONICAL_ALGORITHM}:"):
            return None
        # The tag's link may hold another digest: that of a list of which this is one image, or of a push just now.
        if self.probing:
            stands = self._probes(route, Digest(digest))
            stand = all(each() for each in stands)
        else:
            stands = self._calls(route, Digest(digest))
            stand = any(event.descriptor is not None and event.descriptor.digest == digest for event in events)
        if not stands or not stand:
            return None
        content = b"".join(body) if isinstance(body, list) else None
        if content is not None and len(content) > self._largest:
            content = None
        data, size = paths.blob_data(Digest(digest)), int(started.header("content-length"))
        is_unchanged = self._unchanged(data, size) if self.probing else _believed
        if is_unchanged is None:
            return None
        return Answer(
            started.status,
            started.headers,
            events,
            stands,
            content,
            data,
            size,
            is_unchanged,
            weight=_OVERHEAD + len(content or b""),
        )

    def _unchanged(self, path: str, size: int) -> Check | None:
        """Return what tells whether the file of that size is as it is now; None where there is no such file.

        Content that was damaged, or a part of it, is given again only until somebody puts the whole in its place.
        """
        if (found := self._found(path)) is None or found.size != size:
            return None
        return lambda: self._found(path) == found

    def _found(self, path: str) -> FileInfo | None:
        try:
            return self._driver.stat(self._ctx, path)
        except DriverError:
            return None

    def _probes(self, route: Route, digest: Digest) -> Sequence[Check]:
        asked: list[tuple[str, bytes | None]]
        if route.resource is Resource.BLOB:
            asked = [(paths.layer_link(route.name, digest), None), (paths.blob_data(digest), None)]
        else:
            asked = [(paths.revision_link(route.name, digest), None)]
            if route.argument != digest:
                asked.insert(0, (paths.tag_current_link(route.name, Tag(route.argument)), digest.encode()))
        probes = [self._probe(path, content) for path, content in asked]
        stands = [probe for probe in probes if probe is not None]
        return stands if len(stands) == len(probes) else []

    def _calls(self, route: Route, digest: Digest) -> Sequence[Check]:
        if self._recent is None or route.resource is Resource.BLOB:
            return []
        linked = partial(self._linked, self._recent, paths.revision_link(route.name, digest))
        if route.argument == digest:
            return [linked]
        return [partial(self._holds, paths.tag_current_link(route.name, Tag(route.argument)), digest.encode()), linked]

    def _linked(self, recent: RecentLinks, path: str) -> bool:
        try:
            recent.stat(self._ctx, path)
        except DriverError:
            return False
        return True

    def _holds(self, path: str, content: bytes) -> bool:
        try:
            return self._driver.get_content(self._ctx, path) == content
        except DriverError:
            return False


def _unable(path: str, content: bytes | None = None) -> None:
    """Probe as a driver does that cannot."""


def _believed() -> bool:
    """Take for granted what cannot be asked cheaply."""
    return True
