"""The tags of one repository."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain, islice
from typing import TYPE_CHECKING

from registry_wsgi.errors import ManifestUnknown, NameUnknown, PathNotFound, RegistryError, TagInvalid, Unsupported
from registry_wsgi.reference import Tag
from registry_wsgi.storage import paths
from registry_wsgi.storage.links import read_link
from registry_wsgi.storage.listing import pages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from registry_wsgi.context import Context
    from registry_wsgi.descriptor import Digest
    from registry_wsgi.interfaces import StorageDriver


class TagStore:
    """A TagService over the link files of tags."""

    def __init__(self, driver: StorageDriver, name: str, *, delete_enabled: bool) -> None:
        self._driver = driver
        self._name = name
        self._delete_enabled = delete_enabled

    def get(self, ctx: Context, tag: Tag) -> Digest:
        path = paths.tag_current_link(self._name, tag)
        try:
            return read_link(self._driver, ctx, path)
        except PathNotFound:
            raise ManifestUnknown(f"unknown tag {tag}") from None

    def put(self, ctx: Context, tag: Tag, digest: Digest) -> None:
        """Point the tag at the canonical `digest`; the entry in its history comes second, for a tag
        with a history alone would be listed and could not be got. A delete in between leaves just that: then again."""
        current = paths.tag_current_link(self._name, tag)
        while True:
            self._driver.put_content(ctx, current, digest.encode())
            self._driver.put_content(ctx, paths.tag_index_link(self._name, tag, digest), digest.encode())
            with suppress(PathNotFound):
                self._driver.stat(ctx, current)
                return

    def delete(self, ctx: Context, tag: Tag) -> None:
        if not self._delete_enabled:
            raise Unsupported("deletion is off: storage.delete.enabled is not true")
        try:
            self._driver.delete(ctx, paths.tag(self._name, tag))
        except PathNotFound:
            raise ManifestUnknown(f"unknown tag {tag}") from None

    def list(self, ctx: Context, last: str = "", n: int | None = None) -> list[Tag]:
        try:
            if n is not None:
                found = pages(ctx, self._driver, paths.tags(self._name), last, n)
                return list(islice(_tags(chain.from_iterable(found)), n))
            children = self._driver.list(ctx, paths.tags(self._name))
        except PathNotFound:
            self._check_repository(ctx)
            return []
        return sorted(tag for tag in _tags(map(_name, children)) if tag > last)

    def delete_pointing_at(self, ctx: Context, digest: Digest) -> Sequence[Tag]:
        """Delete the tags that point at `digest` and return them; a repository without tags has none."""
        try:
            children = self._driver.list(ctx, paths.tags(self._name))
        except PathNotFound:
            return []
        return [tag for tag in _tags(map(_name, children)) if self._delete_if(ctx, tag, digest)]

    def _delete_if(self, ctx: Context, tag: Tag, digest: Digest) -> bool:
        try:
            if self.get(ctx, tag) != digest:
                return False
            self._driver.delete(ctx, paths.tag(self._name, tag))
        except (ManifestUnknown, PathNotFound):
            return False
        except RegistryError as damage:  # what holds no digest does not hold this one
            ctx.warning(f"a tag is left as it is: {damage}")
            return False
        return True

    def _check_repository(self, ctx: Context) -> None:
        for path in (paths.manifests(self._name), paths.layers(self._name)):
            try:
                self._driver.stat(ctx, path)
            except PathNotFound:
                continue
            return
        raise NameUnknown({"name": self._name})


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _tags(names: Iterable[str]) -> Iterator[Tag]:
    """Yield the names that are tags; an operator may have left others there."""
    for name in names:
        with suppress(TagInvalid):
            yield Tag.parse(name)
