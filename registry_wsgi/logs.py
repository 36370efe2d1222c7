"""Log lines in the formats of registry:2: `text` (key=value), `json` and `logstash`.

Only `configure` touches the logging system, and only the logger `registry_wsgi`; it is called
by the programs that own their process, never when the registry is mounted in a host.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}
_NAMES = {
    logging.CRITICAL: "fatal",
    logging.ERROR: "error",
    logging.WARNING: "warning",
    logging.INFO: "info",
    logging.DEBUG: "debug",
}

ACCESS_LOGGER = "registry_wsgi.access"


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = dict(getattr(record, "fields", {}))
    if record.exc_info:
        fields["err.stack"] = logging.Formatter().formatException(record.exc_info)
    return fields


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")


def level_name(record: logging.LogRecord) -> str:
    """Return the level in registry:2's words."""
    return _NAMES.get(record.levelno, record.levelname.lower())


class TextFormatter(logging.Formatter):
    """`time="…" level=info msg="…" key=value`, keys in order; a value that is no bare word is quoted."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = [f'time="{_time(record)}"', f"level={level_name(record)}", f"msg={json.dumps(record.getMessage())}"]
        pairs += [f"{key}={_quoted(value)}" for key, value in sorted(_fields(record).items())]
        return " ".join(pairs)


def _quoted(value: object) -> str:
    text = str(value)
    bare = text.isascii() and text.replace("-", "").replace(".", "").replace("/", "").replace(":", "").isalnum()
    return text if bare else json.dumps(text)


class JSONFormatter(logging.Formatter):
    """One JSON object a line: `level`, `msg`, `time` and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"level": level_name(record), "msg": record.getMessage(), "time": _time(record)}
        return json.dumps(_fields(record) | line, default=str, sort_keys=True)


class LogstashFormatter(logging.Formatter):
    """One JSON object a line in logstash's event format, version 1."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "@timestamp": _time(record),
            "@version": "1",
            "level": level_name(record),
            "message": record.getMessage(),
            "type": "registry",
        }
        return json.dumps(_fields(record) | line, default=str, sort_keys=True)


class LetterFormatter(logging.Formatter):
    """For people, in a mail: the message, a field a line, and the traceback as Python prints it."""

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record) | {"level": level_name(record), "time": _time(record)}
        traceback = fields.pop("err.stack", "")
        lines = [f"{key}: {_quoted(value)}" for key, value in sorted(fields.items())]
        return "\n".join([record.getMessage(), "", *lines, *(["", traceback] if traceback else []), ""])


FORMATTERS: dict[str, type[logging.Formatter]] = {
    "text": TextFormatter,
    "json": JSONFormatter,
    "logstash": LogstashFormatter,
}


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
    _replace_handlers(logger, [_handler(sys.stderr, FORMATTERS[formatter]()), *hooks])
    if report_caller:
        # Not on the logger: its own filter sees no line of the loggers below it.
        for handler in logger.handlers:
            handler.addFilter(_add_caller)
    access = logging.getLogger(ACCESS_LOGGER)
    access.setLevel(logging.INFO)
    access.propagate = False
    _replace_handlers(access, [_handler(sys.stdout, logging.Formatter("%(message)s"))] if access_log else [])
    access.disabled = not access_log


def _replace_handlers(logger: logging.Logger, handlers: list[logging.Handler]) -> None:
    replaced, logger.handlers = logger.handlers, handlers
    for handler in replaced:
        handler.close()


def _add_caller(record: logging.LogRecord) -> bool:
    caller = {"func": f"{record.module}.{record.funcName}", "file": f"{record.pathname}:{record.lineno}"}
    record.fields = {**getattr(record, "fields", {}), **caller}
    return True


def _handler(stream: Any, formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    return handler
