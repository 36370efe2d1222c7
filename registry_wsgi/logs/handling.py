"""Where log lines go. Only `configure` touches the logging system, and only the logger `registry_wsgi`; it is called
by the programs that own their process, never when the registry is mounted in a host.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import TYPE_CHECKING, TextIO

from registry_wsgi.logs.lines import FORMATS, Line, message_alone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from registry_wsgi.logs.lines import Fields

ACCESS_LOGGER = "registry_wsgi.access"
LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


class LineFormatter(logging.Formatter):
    """Formats a record of logging as the line that it is."""

    def __init__(self, written: Callable[[Line], str]) -> None:
        super().__init__()
        self._written = written

    def format(self, record: logging.LogRecord) -> str:
        return self._written(Line.of(record))


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines to a stream: of records, as any handler does, or as they are."""

    def __init__(self, stream: TextIO, written: Callable[[Line], str]) -> None:
        super().__init__(stream)
        self.setFormatter(LineFormatter(written))
        self._written = written
        self._file = _file(stream)

    def put(self, line: Line) -> None:
        self.acquire()
        try:
            self._write(self._written(line) + self.terminator)
        except Exception:  # no request fails with its log
            self.handleError(logging.makeLogRecord({"msg": line.message}))
        finally:
            self.release()

    def _write(self, said: str) -> None:
        if self._file is None:
            self.stream.write(said)
            self.stream.flush()
            return
        content = said.encode(self.stream.encoding, self.stream.errors or "strict")
        while content:  # the stream itself takes twice as long, and has nothing left to write
            content = content[os.write(self._file, content) :]


def _file(stream: TextIO) -> int | None:
    """Return the descriptor that a stream writes to, None where it is no file."""
    try:
        return stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None


def log(logger: logging.Logger, level: int, message: str, fields: Fields, *, callers: int) -> None:
    """Log a line as written by the function that many calls up, for `log.reportcaller`.

    Where nobody but a LineHandler would hear of it, no record is made: that, and to find out who called, is half of
    what a line costs. A host's handlers get records, and so do those that somebody adds later.
    """
    handlers = logger.handlers
    if len(handlers) == 1 and type(handlers[0]) is LineHandler:
        own = handlers[0]
        if not (logger.propagate or logger.filters or own.filters or own.level):
            own.put(Line(level, message, time.time(), fields))
            return
    logger.log(level, message, extra={"fields": fields} if fields else None, stacklevel=callers + 1)


def configure(
    level: str,
    formatter: str,
    *,
    access_log: bool,
    report_caller: bool = False,
    hooks: Iterable[logging.Handler] = (),
) -> None:
    """Send the registry's log lines to stderr and to `hooks`, and its access log to stdout.

    With `report_caller` each line says which function wrote it, as `func` and `file`.
    """
    logger = logging.getLogger("registry_wsgi")
    logger.setLevel(LEVELS[level])
    logger.propagate = False
    _replace_handlers(logger, [LineHandler(sys.stderr, FORMATS[formatter]), *hooks])
    if report_caller:
        # Not on the logger: its own filter sees no line of the loggers below it.
        for handler in logger.handlers:
            handler.addFilter(_add_caller)
    access = logging.getLogger(ACCESS_LOGGER)
    access.setLevel(logging.INFO)
    access.propagate = False
    _replace_handlers(access, [LineHandler(sys.stdout, message_alone)] if access_log else [])
    access.disabled = not access_log


def _replace_handlers(logger: logging.Logger, handlers: list[logging.Handler]) -> None:
    replaced, logger.handlers = logger.handlers, handlers
    for handler in replaced:
        handler.close()


def _add_caller(record: logging.LogRecord) -> bool:
    caller = {"func": f"{record.module}.{record.funcName}", "file": f"{record.pathname}:{record.lineno}"}
    record.fields = {**getattr(record, "fields", {}), **caller}
    return True
