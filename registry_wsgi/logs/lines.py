"""What a log line says, and the formats of registry:2 for it: `text` (key=value), `json` and `logstash`."""

from __future__ import annotations

import json
import logging
import math
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Fields = Mapping[str, object]

_NAMES = {
    logging.CRITICAL: "fatal",
    logging.ERROR: "error",
    logging.WARNING: "warning",
    logging.INFO: "info",
    logging.DEBUG: "debug",
}

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
