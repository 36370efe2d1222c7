"""What the value of a key may be: the words for it, and the check."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from registry_wsgi.config import values

if TYPE_CHECKING:
    from collections.abc import Callable


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


ANYTHING = Kind("anything", lambda value: value, open=True)
BOOLEAN = Kind("true or false", values.checked_boolean, noun="boolean")
INTEGER = Kind("an integer", values.checked_integer, noun="integer")
POSITIVE = Kind("an integer, zero or more", values.checked_positive, noun="integer, zero or more")
DURATION = Kind("a duration, zero or more, such as 30s or 1h30m", values.checked_seconds, noun="duration")
TEXT = Kind("text", values.checked_text, unset=(None, ""))
FILE = replace(TEXT, noun="path")
ELEMENT = Kind("text that is not empty", values.checked_element, unset=(), noun="text")
FILES = replace(ELEMENT, noun="path")
MEDIA_TYPE = replace(ELEMENT, noun="media type")
PATTERN = replace(ELEMENT, noun="regular expression")
SERVERS = replace(ELEMENT, noun="`host:port`")
# YAML reads 0123 and 1e5 as numbers, and what was written is gone then: only quotes keep it.
SECRET = Kind(
    "text, in quotes if it looks like a number", values.checked_text, unset=(None, ""), secret=True, noun="text"
)
# A name that is present and empty says "none": it is not the same as an absent one.
NAME = Kind("a name in text, or empty for none", values.checked_name, unset=(), noun="text, may be empty")
VERSION = Kind("0.1", values.checked_version, noun="`0.1`")
ADDRESS = Kind(
    "an address such as 127.0.0.1:5000, [::1]:5000, :5000 for all interfaces, or the path of a socket",
    values.checked_address,
    unset=(None, ""),
    noun="`host:port` or path",
)
SERVER = Kind(
    "a host and port such as mail.example.com:25", values.checked_server, unset=(None, ""), noun="`host:port`"
)
PORT = Kind(
    "a host and port such as 127.0.0.1:5001, or :5001 for loopback",
    values.checked_port,
    unset=(None, ""),
    noun="`host:port`",
)
PATH = Kind("a path such as /metrics, outside /v2/", values.checked_path, unset=(None, ""), noun="path")
OFF_OR_PATH = Kind(
    "a path such as /healthz, outside /v2/, or empty for none", values.checked_off_or_path, noun="path, may be empty"
)
MAILBOX = Kind(
    "an e-mail address such as registry@example.com", values.checked_mailbox, unset=(None, ""), noun="e-mail address"
)
MAILBOXES = replace(MAILBOX, unset=())
PREFIX = Kind(
    "a path that begins and ends with a slash, such as /registry/", values.checked_prefix, unset=(None, ""), noun="path"
)
URL = Kind(
    "an absolute URL such as https://registry.example.com", values.checked_url, unset=(None, ""), noun="absolute URL"
)
# It may have a password before the host, or a token behind the question mark.
ENDPOINT = Kind(
    "an absolute URL such as https://example.com/events?registry=1",
    values.checked_endpoint,
    unset=(None, ""),
    secret=True,
    noun="absolute URL",
)
MAPPING = Kind("a mapping with keys in text", values.checked_mapping, open=True, noun="mapping")
HEADERS = Kind(
    "a mapping of header names to lists of text, such as {X-Frame-Options: [deny]}",
    values.checked_headers,
    open=True,
    noun="mapping of lists",
)
