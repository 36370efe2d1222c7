"""Gives answers of the core again: GET and HEAD of manifests and blobs, the hot path of a registry.

Nothing is believed without a look at what it stands on, which costs a fraction of finding it anew:

    manifest by tag      the tag's link holds the digest still, and the link of the revision is there
    manifest by digest   the link of the revision is there
    blob                 the link of the layer is there, and so is the data; only where a look costs next to nothing

So what another process deletes or tags anew is seen by the next request. Whether the data is there and unchanged is
looked at once a second: no registry touches it while it has a link, except to repair it. Status, headers,
content and events are the core's own. It is also the core that answers what is asked on a condition or in part.
"""

from __future__ import annotations

import itertools
import logging
import threading
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from cachetools import Cache, LRUCache

from registry_wsgi.api import sending
from registry_wsgi.api.bodies import RequestBody
from registry_wsgi.api.respond import API_VERSION, envelope, log_refusal, status_line
from registry_wsgi.context import ENVIRON_KEY, logger
from registry_wsgi.descriptor import Digest
from registry_wsgi.errors import BlobUnknown, DriverError, PathNotFound, RegistryError
from registry_wsgi.metrics import families
from registry_wsgi.middleware.answers import Answer, Answers
from registry_wsgi.middleware.compose import Stage
from registry_wsgi.middleware.started import Started
from registry_wsgi.reference import check_name
from registry_wsgi.routes import Resource
from registry_wsgi.storage import paths

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver, WSGIApplication
    from registry_wsgi.metrics.measurements import Measurements
    from registry_wsgi.middleware.answers import Headers
    from registry_wsgi.storage.recent import RecentLinks

    Key = tuple[str, str, str | None]

_MANIFEST, _BLOB = Resource.MANIFEST, Resource.BLOB
_READING = frozenset({"GET", "HEAD"})
_UNKNOWN = status_line(BlobUnknown.status)
_LONGEST_ACCEPT = 2048
"""Characters of an Accept header. docker's has some 500; granian lets 64 KB through, of which none should stay."""

_LOOK_SECONDS = 1.0
"""How often an answer in use is looked at more closely than at each hit."""


class CachingLayer:
    """Remembers answers in `maxbytes` of memory, the longest unused forgotten first.

    On a driver that cannot probe, links are believed as `recent` does, and nothing is remembered without it. `blobs`
    is False where clients may be sent elsewhere for them, which is decided anew each time. `headers` are those that
    the core adds to every answer. `measurements` are told how often an answer was remembered.
    """

    stage = Stage.ANSWER

    def __init__(
        self,
        app: WSGIApplication,
        *,
        driver: StorageDriver,
        maxbytes: int = 64 * 1024 * 1024,
        recent: RecentLinks | None = None,
        blobs: bool = True,
        headers: Headers = (),
        measurements: Measurements | None = None,
    ) -> None:
        self._app = app
        self._driver = driver
        self._blobs = blobs
        self._added = (API_VERSION, *headers)
        self._core_answers = Answers(driver, largest=maxbytes // 8, recent=recent)
        self._remembered: LRUCache[Key, Answer] = LRUCache(maxbytes, getsizeof=lambda answer: answer.weight)
        self._lock = threading.Lock()
        self._requests = itertools.count(1)
        self._asked = self._missed = 0
        if measurements is not None:
            measurements.ask(families.RESPONSE_HITS, lambda: self._asked - self._missed)
            measurements.ask(families.RESPONSE_MISSES, lambda: self._missed)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        ctx: Context = environ[ENVIRON_KEY]
        key = self._key(ctx, environ)
        if key is None:
            return self._app(environ, start_response)
        self._asked = next(self._requests)  # counted without a lock: of two at once it may be the lower number
        answer = self._standing(key, ctx.started)
        if answer is not None and (body := self._body(answer, ctx, environ)) is not None:
            ctx.events.extend(answer.events)
            start_response(answer.status, [*answer.headers])
            return body
        with self._lock:
            self._missed += 1
        if key[0] == "HEAD" and ctx.route.resource is _BLOB and (digest := self._unknown(ctx)):
            return self._refused(digest, ctx, environ, start_response)
        return self._answered(key, ctx, environ, start_response)

    def _key(self, ctx: Context, environ: WSGIEnvironment) -> Key | None:
        """Return by what the answer to a request is known; None where only the core can answer."""
        method, resource = environ["REQUEST_METHOD"], ctx.route.resource
        # Identity costs nothing; the hash of an enum's member is a function in Python.
        manifest = resource is _MANIFEST
        if (
            not (manifest or (resource is _BLOB and self._blobs))
            or method not in _READING
            or "HTTP_IF_NONE_MATCH" in environ
            or "HTTP_IF_MATCH" in environ
            or "HTTP_RANGE" in environ
        ):
            return None
        # A blob is the same whatever is accepted.
        accept = environ.get("HTTP_ACCEPT") if manifest else None
        return (method, environ["PATH_INFO"], accept) if accept is None or len(accept) <= _LONGEST_ACCEPT else None

    def _standing(self, key: Key, now: float) -> Answer | None:
        """Return the answer that is remembered, if all that it stands on is so still."""
        try:
            # Not as the LRU cache looks up, which notes each use, under a lock that all threads would queue for.
            answer = Cache.__getitem__(self._remembered, key)
        except KeyError:
            return None
        for stands in answer.stands:
            if not stands():
                return None
        return answer if now < answer.next_look or self._looked_at(key, answer, now) else None

    def _looked_at(self, key: Key, answer: Answer, now: float) -> bool:
        """Note that an answer is in use, and tell whether its data is there as it was."""
        answer.next_look = now + _LOOK_SECONDS
        with self._lock:
            self._remembered.get(key)
        return answer.is_unchanged()

    def _body(self, answer: Answer, ctx: Context, environ: WSGIEnvironment) -> Iterable[bytes] | None:
        """Return what is sent of an answer; None where its file cannot be read now."""
        if answer.content is not None:
            return [answer.content] if answer.content else []
        try:
            reader = self._driver.reader(ctx, answer.path)
        except DriverError:
            return None
        return sending.whole(environ, reader, answer.size)

    def _answered(
        self, key: Key, ctx: Context, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Have the core answer, and remember what can be given again."""
        started, before = Started(start_response), len(ctx.events)
        body = self._app(environ, started)
        answer = self._core_answers.worth_keeping(ctx.route, started, body, tuple(ctx.events[before:]))
        if answer is not None:
            answer.weight += sum(len(each or "") for each in key)
            answer.next_look = ctx.started + _LOOK_SECONDS
            with self._lock:
                self._remembered[key] = answer
        return body

    def _unknown(self, ctx: Context) -> Digest | None:
        """Return the digest of a blob that the repository has no link to: what a push asks of every new layer."""
        if not self._core_answers.probing:
            return None  # one call more would be dear
        try:
            name, digest = check_name(ctx.route.name), Digest.parse(ctx.route.argument)
            self._driver.stat(ctx, paths.layer_link(name, digest))
        except PathNotFound:  # a probe would not tell it from a storage that fails
            return digest
        except (RegistryError, DriverError):
            return None
        return None

    def _refused(
        self, digest: Digest, ctx: Context, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Refuse as the core does, at a fifth of what its way there costs."""
        if logger.isEnabledFor(logging.INFO):
            log_refusal(ctx, BlobUnknown(digest))
        if environ.get("CONTENT_LENGTH", "0") != "0":
            with suppress(RegistryError):  # a body whose length cannot be told is left to the server
                RequestBody(environ).discard()
        start_response(_UNKNOWN, [*_refusal_headers(len(digest)), *self._added])
        return []


@cache  # by the lengths that digests have: what a HEAD does not send is made once for each
def _refusal_headers(length: int) -> Headers:
    return tuple(envelope(BlobUnknown("-" * length))[1].items())
