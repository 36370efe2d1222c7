"""What the value of a key may be: the words for it, and the check."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from registry_wsgi.config.durations import parse_duration

_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^\]\s]+)\]|[\w.-]*):(?P<port>\d{1,5})", re.ASCII)
_SOCKET = re.compile(r"/[^\x00\r\n]+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2, token
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 §5.5; no line break can get into a response
_MAILBOX = re.compile(r"[^\s<>()\[\]\\,:;@\"\x00-\x20\x7f-\U0010ffff]+@[\w.-]+", re.ASCII)
_PATH = re.compile(r"(?:/[\w.~-]+)+", re.ASCII)
_PREFIX = re.compile(r"/(?:[\w.~-]+/)*", re.ASCII)
_URL = re.compile(r"https?://[^\s?#]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kind:
    """`parse` returns the checked value or raises ValueError; `allowed` says in words what it takes, `noun` in fewer.

    Values in `unset` stand for the key's default. Below an `open` kind environment variables may name anything.
    No message shows the value of a `secret` one.
    """

    allowed: str
    parse: Callable[[Any], Any]
    unset: tuple[object, ...] = (None,)
    open: bool = False
    secret: bool = False
    noun: str = ""

    @property
    def word(self) -> str:
        """What the reference calls it."""
        return self.noun or self.allowed


def one_of(*names: str, unset: tuple[object, ...] = (None, "")) -> Kind:
    """Return the kind of a word among `names`, in any case, as registry:2 takes it."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or value.lower() not in names:
            raise ValueError("not among the names")
        return value.lower()

    allowed = f"one of {', '.join(names)}" if len(names) > 1 else names[0]
    return Kind(allowed, parse, unset=unset, noun=", ".join(f"`{name}`" for name in names))


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("not a boolean")
    return value


def _integer(value: object) -> int:
    if type(value) is not int or abs(value) >= 2**63:
        raise ValueError("not an integer of 64 bits")
    return value


def _positive(value: object) -> int:
    number = _integer(value)
    if number < 0:
        raise ValueError("negative")
    return number


def _seconds(value: object) -> float:
    seconds = parse_duration(value)
    if seconds < 0:
        raise ValueError("negative")
    return seconds


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not text")
    return value


def _element(value: object) -> str:
    if not (text := _text(value)):
        raise ValueError("empty")
    return text


def _name(value: object) -> str:
    return "" if value is None else _text(value)


def _version(value: object) -> str:
    if value not in (0.1, "0.1"):
        raise ValueError("another version")
    return "0.1"


def _address(value: object) -> str:
    if _SOCKET.fullmatch(_text(value)):
        return _text(value)
    match = _ADDRESS.fullmatch(_text(value))
    if not match or int(match["port"]) > 65535:
        raise ValueError("not an address")
    if match["ipv6"]:
        ipaddress.IPv6Address(match["ipv6"])
    return match[0]


def _server(value: object) -> str:
    text = _address(value)
    if text.startswith(("/", ":")) or text.endswith(":0"):
        raise ValueError("no host, or no port")
    return text


def _port(value: object) -> str:
    text = _address(value)
    if text.startswith("/") or text.endswith(":0"):
        raise ValueError("no port")
    return text


def _path(value: object) -> str:
    text = _text(value)
    if not _PATH.fullmatch(text) or text == "/v2" or text.startswith("/v2/"):
        raise ValueError("not a path, or one of the API's")
    return text


def _off_or_path(value: object) -> str:
    return "" if value == "" else _path(value)


def _mailbox(value: object) -> str:
    text = _text(value)
    if not _MAILBOX.fullmatch(text):
        raise ValueError("not an e-mail address")
    return text


def _prefix(value: object) -> str:
    text = _text(value)
    if not _PREFIX.fullmatch(text):
        raise ValueError("not a prefix")
    return "" if text == "/" else text


def _endpoint(value: object) -> str:
    text = _text(value)
    _url(text.partition("?")[0])
    if "#" in text or not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("not an absolute URL")
    return text


def _url(value: object) -> str:
    text = _text(value)
    if not _URL.fullmatch(text) or not (text.isascii() and text.isprintable()):
        raise ValueError("not an absolute URL")
    parts = urlsplit(text)
    if not parts.hostname or parts.port == 0:  # a port that is no number raises here
        raise ValueError("not an absolute URL")
    return text


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise ValueError("not a mapping")
    for key in value:
        if not isinstance(key, str):
            raise ValueError(f"the key {key!r:.60} is not text")
    return dict(value)


def _headers(value: object) -> dict[str, tuple[str, ...]]:
    return {_header_name(name): _header_values(name, values) for name, values in _mapping(value).items()}


def _header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r:.60} is no header name")
    return name


def _header_values(name: str, values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise ValueError(f"{name} has no list")
    try:
        return tuple(_header_value(value) for value in values)
    except ValueError as error:
        raise ValueError(f"{name} has a value that no header can have") from error


def _header_value(value: object) -> str:
    # `[true]` and `[600]` are what registry:2's users write without quotes.
    text = str(value).lower() if isinstance(value, bool) else str(value) if type(value) is int else _text(value)
    if not _HEADER_VALUE.fullmatch(text):
        raise ValueError("not a header value")
    return text


ANYTHING = Kind("anything", lambda value: value, open=True)
BOOLEAN = Kind("true or false", _boolean, noun="boolean")
INTEGER = Kind("an integer", _integer, noun="integer")
POSITIVE = Kind("an integer, zero or more", _positive, noun="integer, zero or more")
DURATION = Kind("a duration, zero or more, such as 30s or 1h30m", _seconds, noun="duration")
TEXT = Kind("text", _text, unset=(None, ""))
FILE = replace(TEXT, noun="path")
ELEMENT = Kind("text that is not empty", _element, unset=(), noun="text")
FILES = replace(ELEMENT, noun="path")
MEDIA_TYPE = replace(ELEMENT, noun="media type")
PATTERN = replace(ELEMENT, noun="regular expression")
SERVERS = replace(ELEMENT, noun="`host:port`")
# YAML reads 0123 and 1e5 as numbers, and what was written is gone then: only quotes keep it.
SECRET = Kind("text, in quotes if it looks like a number", _text, unset=(None, ""), secret=True, noun="text")
# A name that is present and empty says "none": it is not the same as an absent one.
NAME = Kind("a name in text, or empty for none", _name, unset=(), noun="text, may be empty")
VERSION = Kind("0.1", _version, noun="`0.1`")
ADDRESS = Kind(
    "an address such as 127.0.0.1:5000, [::1]:5000, :5000 for all interfaces, or the path of a socket",
    _address,
    unset=(None, ""),
    noun="`host:port` or path",
)
SERVER = Kind("a host and port such as mail.example.com:25", _server, unset=(None, ""), noun="`host:port`")
PORT = Kind(
    "a host and port such as 127.0.0.1:5001, or :5001 for loopback", _port, unset=(None, ""), noun="`host:port`"
)
PATH = Kind("a path such as /metrics, outside /v2/", _path, unset=(None, ""), noun="path")
OFF_OR_PATH = Kind("a path such as /healthz, outside /v2/, or empty for none", _off_or_path, noun="path, may be empty")
MAILBOX = Kind("an e-mail address such as registry@example.com", _mailbox, unset=(None, ""), noun="e-mail address")
MAILBOXES = replace(MAILBOX, unset=())
PREFIX = Kind("a path that begins and ends with a slash, such as /registry/", _prefix, unset=(None, ""), noun="path")
URL = Kind("an absolute URL such as https://registry.example.com", _url, unset=(None, ""), noun="absolute URL")
# It may have a password before the host, or a token behind the question mark.
ENDPOINT = Kind(
    "an absolute URL such as https://example.com/events?registry=1",
    _endpoint,
    unset=(None, ""),
    secret=True,
    noun="absolute URL",
)
MAPPING = Kind("a mapping with keys in text", _mapping, open=True, noun="mapping")
HEADERS = Kind(
    "a mapping of header names to lists of text, such as {X-Frame-Options: [deny]}",
    _headers,
    open=True,
    noun="mapping of lists",
)
