"""Log lines in the formats of registry:2: `text` (key=value), `json` and `logstash`.

Only `configure` touches the logging system, and only the logger `registry_wsgi`; it is called
by the programs that own their process, never when the registry is mounted in a host.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import sys
import time
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Fields = Mapping[str, object]

LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}
_NAMES = {
    logging.CRITICAL: "fatal",
    logging.ERROR: "error",
    logging.WARNING: "warning",
    logging.INFO: "info",
    logging.DEBUG: "debug",
}

ACCESS_LOGGER = "registry_wsgi.access"

_LONGEST_REMEMBERED = 256
"""Characters of a value; docker's User-Agent has some 130."""

_BARE = re.compile(r"[-./:]*[0-9A-Za-z][-./:0-9A-Za-z]*")

# json.dumps looks for its encoder first, or makes one.
_json_text = json.JSONEncoder().encode
_json_object = json.JSONEncoder(default=str, sort_keys=True).encode


class Line(NamedTuple):
    """What a log line says: `level` is one of logging's, `created` in seconds since the epoch."""

    level: int
    message: str
    created: float
    fields: Fields

    @classmethod
    def of(cls, record: logging.LogRecord) -> Line:
        fields = dict(getattr(record, "fields", {}))
        if record.exc_info:
            fields["err.stack"] = logging.Formatter().formatException(record.exc_info)
        return cls(record.levelno, record.getMessage(), record.created, fields)

    @property
    def level_name(self) -> str:
        """The level in registry:2's words."""
        return _NAMES.get(self.level) or logging.getLevelName(self.level).lower()

    @property
    def time(self) -> str:
        part, whole = math.modf(self.created)  # as datetime rounds, in half the time
        seconds, microseconds = divmod(int(whole) * 1_000_000 + round(part * 1_000_000), 1_000_000)
        return f"{_second(seconds)}.{microseconds:06}Z" if microseconds else f"{_second(seconds)}Z"


@lru_cache(1)
def _second(seconds: int) -> str:
    """Return a time of whole seconds in ISO 8601, which is the same for all the lines of one."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def text(line: Line) -> str:
    """Return `time="…" level=info msg="…" key=value`, keys in order; a value that is no bare word is quoted."""
    pairs = [
        # What clients say of themselves is mostly the same: of a request's twelve pairs two or three are new.
        _remembered_pair(key, value) if type(value) is str and len(value) <= _LONGEST_REMEMBERED else _pair(key, value)
        for key, value in sorted(line.fields.items())
    ]
    return " ".join([f'time="{line.time}" level={line.level_name} msg={_json_text(line.message)}', *pairs])


def json_object(line: Line) -> str:
    """Return one JSON object: `level`, `msg`, `time` and the fields."""
    return _json_object({**line.fields, "level": line.level_name, "msg": line.message, "time": line.time})


def logstash(line: Line) -> str:
    """Return one JSON object in logstash's event format, version 1."""
    said = {
        "@timestamp": line.time,
        "@version": "1",
        "level": line.level_name,
        "message": line.message,
        "type": "registry",
    }
    return _json_object({**line.fields, **said})


def letter(line: Line) -> str:
    """Return it for people, in a mail: the message, a field a line, and the traceback as Python prints it."""
    fields = {**line.fields, "level": line.level_name, "time": line.time}
    traceback = fields.pop("err.stack", "")
    lines = [f"{key}: {_quoted(value)}" for key, value in sorted(fields.items())]
    return "\n".join([line.message, "", *lines, *(["", str(traceback)] if traceback else []), ""])


def message_alone(line: Line) -> str:
    """Return what is said, and nothing else."""
    return line.message


FORMATS: dict[str, Callable[[Line], str]] = {"text": text, "json": json_object, "logstash": logstash}


def _pair(key: str, value: object) -> str:
    return f"{key}={_quoted(value)}"


_remembered_pair = lru_cache(2048)(_pair)


def _quoted(value: object) -> str:
    said = str(value)
    return said if _BARE.fullmatch(said) else _json_text(said)


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
