"""The checks of values: each returns what it takes, in the form that everybody else reads, or raises ValueError."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from registry_wsgi.config.durations import parse_duration

_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^\]\s]+)\]|[\w.-]*):(?P<port>\d{1,5})", re.ASCII)
_SOCKET = re.compile(r"/[^\x00\r\n]+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2, token
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 §5.5; no line break can get into a response
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})  # RFC 9112 §6, §9.6: each message's own
_MAILBOX = re.compile(r"[^\s<>()\[\]\\,:;@\"\x00-\x20\x7f-\U0010ffff]+@[\w.-]+", re.ASCII)
_PATH = re.compile(r"(?:/[\w.~-]+)+", re.ASCII)
_PREFIX = re.compile(r"/(?:[\w.~-]+/)*", re.ASCII)
_URL = re.compile(r"https?://[^\s?#]+", re.IGNORECASE)


def checked_boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("not a boolean")
    return value


def checked_integer(value: object) -> int:
    if type(value) is not int or abs(value) >= 2**63:
        raise ValueError("not an integer of 64 bits")
    return value


def checked_positive(value: object) -> int:
    number = checked_integer(value)
    if number < 0:
        raise ValueError("negative")
    return number


def checked_seconds(value: object) -> float:
    seconds = parse_duration(value)
    if seconds < 0:
        raise ValueError("negative")
    return seconds


def checked_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not text")
    return value


def checked_element(value: object) -> str:
    if not (text := checked_text(value)):
        raise ValueError("empty")
    return text


def checked_name(value: object) -> str:
    return "" if value is None else checked_text(value)


def checked_version(value: object) -> str:
    if value not in (0.1, "0.1"):
        raise ValueError("another version")
    return "0.1"


def checked_address(value: object) -> str:
    if _SOCKET.fullmatch(checked_text(value)):
        return checked_text(value)
    match = _ADDRESS.fullmatch(checked_text(value))
    if not match or int(match["port"]) > 65535:
        raise ValueError("not an address")
    if match["ipv6"]:
        ipaddress.IPv6Address(match["ipv6"])
    return match[0]


def checked_server(value: object) -> str:
    text = checked_address(value)
    if text.startswith(("/", ":")) or text.endswith(":0"):
        raise ValueError("no host, or no port")
    return text


def checked_port(value: object) -> str:
    text = checked_address(value)
    if text.startswith("/") or text.endswith(":0"):
        raise ValueError("no port")
    return text


def checked_path(value: object) -> str:
    text = checked_text(value)
    if not _PATH.fullmatch(text) or text == "/v2" or text.startswith("/v2/"):
        raise ValueError("not a path, or one of the API's")
    return text


def checked_off_or_path(value: object) -> str:
    return "" if value == "" else checked_path(value)


def checked_mailbox(value: object) -> str:
    text = checked_text(value)
    if not _MAILBOX.fullmatch(text):
        raise ValueError("not an e-mail address")
    return text


def checked_prefix(value: object) -> str:
    text = checked_text(value)
    if not _PREFIX.fullmatch(text):
        raise ValueError("not a prefix")
    return "" if text == "/" else text


def checked_endpoint(value: object) -> str:
    text = checked_text(value)
    checked_url(text.partition("?")[0])
    if "#" in text or not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("not an absolute URL")
    return text


def checked_url(value: object) -> str:
    text = checked_text(value)
    if not _URL.fullmatch(text) or not (text.isascii() and text.isprintable()):
        raise ValueError("not an absolute URL")
    parts = urlsplit(text)
    if not parts.hostname or parts.port == 0:  # a port that is no number raises here
        raise ValueError("not an absolute URL")
    return text


def checked_mapping(value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise ValueError("not a mapping")
    for key in value:
        if not isinstance(key, str):
            raise ValueError(f"the key {key!r:.60} is not text")
    return dict(value)


def checked_headers(value: object) -> dict[str, tuple[str, ...]]:
    return {
        checked_header_name(name): checked_header_values(name, values)
        for name, values in checked_mapping(value).items()
    }


def checked_header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r:.60} is no header name")
    if name.lower() in _FRAMING:
        raise ValueError(f"{name} is not the same for every message, and cannot be set")
    return name


def checked_header_values(name: str, values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise ValueError(f"{name} has no list")
    try:
        return tuple(checked_header_value(value) for value in values)
    except ValueError as error:
        raise ValueError(f"{name} has a value that no header can have") from error


def checked_header_value(value: object) -> str:
    # `[true]` and `[600]` are what registry:2's users write without quotes.
    text = str(value).lower() if isinstance(value, bool) else str(value) if type(value) is int else checked_text(value)
    if not _HEADER_VALUE.fullmatch(text):
        raise ValueError("not a header value")
    return text
