"""What the store says of objects, parts and uploads."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_METADATA: Final = "x-amz-meta-"


@dataclass(frozen=True, slots=True)
class Object:
    """What the store says of an object. `age` is in seconds, by the clock of the store alone."""

    size: int
    modified: float
    etag: str
    age: float
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart upload as the store knows it."""

    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a listing: keys with their sizes and times, and the prefixes that stand for directories."""

    keys: Sequence[str]
    prefixes: Sequence[str]
    token: str


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload in progress."""

    id: str
    key: str
    initiated: float


def described(headers: Mapping[str, str], offset: int = 0) -> Object:
    """Return what the headers of an answer say of an object, of which the bytes from `offset` on were asked for."""
    modified = parsedate_to_datetime(headers["last-modified"]).timestamp()
    date = headers.get("date")
    return Object(
        size=int(headers["content-length"]) + offset,
        modified=modified,
        etag=headers.get("etag", ""),
        age=parsedate_to_datetime(date).timestamp() - modified if date else 0.0,
        metadata={name[len(_METADATA) :]: value for name, value in headers.items() if name.startswith(_METADATA)},
    )
