"""Directories that are none: children found by the keys that begin alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from registry_wsgi.drivers import flat
from registry_wsgi.errors import PathNotFound
from registry_wsgi_s3.bucket import BATCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from registry_wsgi_s3.bucket import Bucket

_SPARE: Final = 4
"""How many more than a page needs are asked for: directories of which only the prefix comes after where it begins."""


def children(bucket: Bucket, path: str) -> list[str]:
    """Return the names in a directory. Raises PathNotFound."""
    prefix = directory_key(bucket, path)
    names: set[str] = set()
    token = ""
    while True:
        page = bucket.list(prefix, token=token, delimiter="/")
        names.update(_names(prefix, page.keys), _names(prefix, page.prefixes))
        token = page.token
        if not token:
            break
    if not names and path != "/":
        raise PathNotFound(bucket.driver, path)
    return sorted(names)


def children_after(bucket: Bucket, path: str, after: str, limit: int) -> list[str]:
    """Return the first `limit` names after `after` in the byte order of names, see `flat`. Raises PathNotFound."""
    prefix = directory_key(bucket, path)
    names: set[str] = set()
    begin, token = flat.key_after(after), ""
    while True:
        wanted = min(BATCH, limit - len(names) + _SPARE)
        page = bucket.list(prefix, after=prefix + begin if begin else "", token=token, limit=wanted, delimiter="/")
        names.update(name for name in _names(prefix, (*page.keys, *page.prefixes)) if name > after)
        token = page.token
        if not token:
            break
        if len(names) >= limit:
            last = max((*page.keys, *page.prefixes))[len(prefix) :]
            names.update(flat.hidden_by(last, after, lambda name: _has_any(bucket, f"{prefix}{name}/")))
            break
    if not names and path != "/" and not _has_any(bucket, prefix):
        raise PathNotFound(bucket.driver, path)
    return sorted(names)[:limit]


def below(bucket: Bucket, path: str) -> Iterator[list[str]]:
    """Yield the keys of the file at the path and of all files below it, in pages; nothing where there is none."""
    key = bucket.key(path)
    page = bucket.list(key)
    found = [each for each in page.keys if each == key or each.startswith(f"{key}/")]
    if found:
        yield found
    # Keys that only begin alike, such as `a-b`, may come before those of the directory, and fill the page.
    token = ""
    while page.token:
        page = bucket.list(f"{key}/", token=token)
        if page.keys:
            yield list(page.keys)
        token = page.token


def markers(bucket: Bucket, path: str, keys: Iterable[str]) -> list[str]:
    """Return the keys of the directories that the keys are in, from `path` down, the deepest first.

    A store that keeps directories, such as SeaweedFS, shows one for a while after all in it was deleted, unless it
    is deleted too. In others there is nothing at such a key.
    """
    top = directory_key(bucket, path)
    found = {key[:end] for key in keys for end in _ends(key, len(top))}
    return sorted(found, key=len, reverse=True)


def _ends(key: str, start: int) -> Iterator[int]:
    """Yield where the directories of a key end, those that end before `start` left out."""
    end = key.find("/", start - 1)
    while end >= 0:
        yield end + 1
        end = key.find("/", end + 1)


def is_directory(bucket: Bucket, path: str) -> bool:
    return path == "/" or _has_any(bucket, directory_key(bucket, path))


def directory_key(bucket: Bucket, path: str) -> str:
    """Return what the keys of all that is in the directory begin with."""
    key = bucket.key(path.rstrip("/"))
    return f"{key}/" if key else ""


def _names(prefix: str, keys: Iterable[str]) -> Iterator[str]:
    """Yield the names of a registry's own: unfinished writes have others."""
    for key in keys:
        name = key[len(prefix) :].rstrip("/")
        if flat.NAME.fullmatch(name):
            yield name


def _has_any(bucket: Bucket, prefix: str) -> bool:
    return bool(bucket.list(prefix, limit=1).keys)
