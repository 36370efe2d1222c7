"""Log lines: what they say, in which format, and where they go."""

from registry_wsgi.logs.handling import ACCESS_LOGGER, LEVELS, LineFormatter, LineHandler, configure, log
from registry_wsgi.logs.lines import FORMATS, Line, letter, text

__all__ = [
    "ACCESS_LOGGER",
    "FORMATS",
    "LEVELS",
    "Line",
    "LineFormatter",
    "LineHandler",
    "configure",
    "letter",
    "log",
    "text",
]
