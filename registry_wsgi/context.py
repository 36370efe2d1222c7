"""The Context of one request or one task: who asks, under which id, and what came of it.

It is passed explicitly and first everywhere. Threads and WSGI bodies that are sent after the
handler returned would lose an ambient one.
"""

from __future__ import annotations

import itertools
import logging
import os
import secrets
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from registry_wsgi import logs, traceparent
from registry_wsgi.routes import Resource, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from registry_wsgi.descriptor import Descriptor
    from registry_wsgi.traceparent import TraceParent

    Environ = Mapping[str, object]
    Describe = Callable[["Context", Environ], dict[str, object]]

ENVIRON_KEY = "registry_wsgi.context"
"""The one object that the layers share in the WSGI environ."""

logger = logging.getLogger("registry_wsgi")


@dataclass(frozen=True, slots=True)
class Event:
    """What a request did to a repository, for the notifications layer to hand on once it succeeded.

    `references` are what a manifest refers to; a blob has none.
    """

    action: Literal["pull", "push", "mount", "delete"]
    repository: str
    descriptor: Descriptor | None = None
    tag: str = ""
    from_repository: str = ""
    references: tuple[Descriptor, ...] = ()


class _Ids:
    """UUIDs of version 4 (RFC 9562 §5.4) whose last 48 bits are counted: the kernel is asked once in each process."""

    def __init__(self) -> None:
        self._process = 0
        self._beginning = threading.Lock()
        self._begin()

    def head(self) -> str:
        """Return what all ids of this process begin with."""
        self._begin()
        return self._head

    def number(self) -> int:
        self._begin()
        return next(self._numbers)

    def new(self) -> str:
        """Return an id that nothing else has, in any process."""
        self._begin()
        return id_of(self._head, next(self._numbers))

    def _begin(self) -> None:
        if self._process == os.getpid():
            return
        # Python is not told of every fork: uWSGI's it may learn of so only.
        with self._beginning:
            if self._process != os.getpid():
                self._head, self._numbers = str(uuid.uuid4())[:-12], itertools.count(secrets.randbits(47))
                self._process = os.getpid()


_ids = _Ids()
head_of_ids = _ids.head
new_id = _ids.new


def id_of(head: str, number: int) -> str:
    """Return the id of the Context that has the number, of the process whose ids begin so."""
    return f"{head}{number:012x}"


_NOWHERE = Route(Resource.NONE)


def _whatever(_: str) -> bool:
    return True


class Context:
    """One request's or task's state: `id`, `route`, `user`, `events`, and what its log lines say.

    `may_pull` tells of a repository whether the caller may pull from it, and `rule` what decided about the request;
    access control sets both.
    `describe` returns the fields that every log line of the context carries, told from the context and `environ`.
    It is called only when a line is written, so a request that logs nothing pays nothing.
    """

    __slots__ = ("_describe", "_environ", "_number", "events", "may_pull", "route", "rule", "span", "started", "user")

    # Made for every request: a lambda or a UUID here would cost more than all the rest (4 µs of 5).
    def __init__(
        self, route: Route = _NOWHERE, describe: Describe | None = None, environ: Environ = MappingProxyType({})
    ) -> None:
        self._number = 0
        self.route = route
        self.user = ""
        self.rule = ""
        self.may_pull: Callable[[str], bool] = _whatever
        self.events: list[Event] = []
        self.started = time.monotonic()
        self.span = ""
        self._describe = describe
        self._environ = environ

    @property
    def id(self) -> str:
        """A UUID, made when it is first asked for: by a log line, an event or a header."""
        return id_of(_ids.head(), self.number)

    @property
    def number(self) -> int:
        """What the id ends with, in 48 bits: a fifth of the price, for who keeps many of them."""
        if not self._number:
            self._number = _ids.number()
        return self._number

    @property
    def traceparent(self) -> TraceParent | None:
        """The trace that the request says it is a part of, to be passed on; it is parsed when it is asked for."""
        header = self._environ.get("HTTP_TRACEPARENT")
        return traceparent.parse(str(header)) if header else None

    def log(self, level: int, message: str, **fields: object) -> None:
        """Log one line with the context's fields and `fields`, which win."""
        self._log(level, message, fields)

    def debug(self, message: str, **fields: object) -> None:
        self._log(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: object) -> None:
        self._log(logging.INFO, message, fields)

    def warning(self, message: str, **fields: object) -> None:
        self._log(logging.WARNING, message, fields)

    def error(self, message: str, **fields: object) -> None:
        self._log(logging.ERROR, message, fields)

    def _log(self, level: int, message: str, fields: dict[str, object], *, callers: int = 2) -> None:
        """Log a line as written by the function that many calls up, for `log.reportcaller`."""
        if logger.isEnabledFor(level):
            described = self._describe(self, self._environ) if self._describe is not None else {}
            logs.log(logger, level, message, described | fields, callers=callers + 1)

    @contextmanager
    def trace(self, function: str, message: str) -> Iterator[None]:
        """Log `message` at debug level when the block ends, with a span id, its parent's, begin and duration.

        `trace.file` and `trace.line` say who called the function that is traced.
        """
        parent, self.span = self.span, str(uuid.uuid4())
        caller = sys._getframe(3)  # above contextlib and the function
        fields: dict[str, object] = {
            "trace.id": self.span,
            "trace.func": function,
            "trace.file": caller.f_code.co_filename,
            "trace.line": caller.f_lineno,
            "trace.start": datetime.now(UTC).isoformat(),
        }
        if parent:
            fields["trace.parent.id"] = parent
        started = time.monotonic()
        try:
            yield
        finally:
            self.span = parent
            fields["trace.duration"] = f"{time.monotonic() - started:.6f}s"
            self._log(logging.DEBUG, message, fields, callers=3)  # contextlib is between this and the block
