"""Pages of tags and of repositories, of every length, make up what sorting the whole gives."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from registry_wsgi.context import Context
from registry_wsgi.storage import catalog, paths
from registry_wsgi.storage.registry import Registry
from tests import storages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_wsgi.interfaces import StorageDriver

CTX = Context()
COMPONENTS = st.sampled_from(["a", "b", "a-b", "a--b", "a.b", "a_b", "a0", "0", "00", "ab", "b-a"])
NAMES = st.lists(COMPONENTS, min_size=1, max_size=3).map("/".join)
ODD_NAMES = ["A", "_", "a/", "/a", "/", "a//b", "..", "a/../b", "a/_layers/x", "a b", "\0", "\N{SNOWMAN}", "a" * 300]
CLUTTER = ["A/_layers/x", "left-/_layers/x", "_a/x", "_z/x", "file"]
"""What an operator may have left in a directory, and what the registry itself has there besides."""

TAGS = st.text("aAbZ019._-", min_size=1, max_size=4).filter(lambda tag: tag[0] not in ".-")
NO_TAGS = ["-", "-a", ".a", "a" * 129, "0" * 129, "_" * 200]


@contextmanager
def driver_of(kind: str) -> Iterator[StorageDriver]:
    """Give a driver over an empty store, which Hypothesis wants for each example."""
    with TemporaryDirectory() as directory:
        yield storages.driver_at(Path(directory), kind)


any_driver = pytest.mark.parametrize("kind", storages.kinds())


def put(driver: StorageDriver, path: str) -> None:
    driver.put_content(CTX, path, b"", durable=False)


@any_driver
@settings(max_examples=storages.sampled(40))
@given(names=st.sets(NAMES, min_size=1, max_size=12), start=NAMES | st.sampled_from(ODD_NAMES), page=st.integers(1, 5))
@example(names={"a", "a/b", "a-b", "a.b"}, start="a", page=1)
def test_repositories_are_paged_component_by_component(kind: str, names: set[str], start: str, page: int) -> None:
    with driver_of(kind) as driver, patch.object(catalog, "_PAGE", page), patch.object(catalog, "_LOOK", page):
        for name in names:
            put(driver, f"{paths.manifests(name)}/tags/v1/current/link")
        for directory in (paths.REPOSITORIES, paths.repository(min(names))):
            for left in CLUTTER:
                put(driver, f"{directory}/{left}")
        registry = Registry(driver)
        ordered = sorted(names, key=lambda name: name.split("/"))
        for n in range(1, len(names) + 2):
            found: list[str] = []
            while part := list(islice(registry.repositories(CTX, found[-1] if found else ""), n)):
                found += part
            assert found == ordered
        after = [name for name in ordered if name.split("/") > start.split("/")]
        assert list(registry.repositories(CTX, start)) == after


@any_driver
@settings(max_examples=storages.sampled(40))
@given(tags=st.sets(TAGS, max_size=12), left=st.sets(st.sampled_from(NO_TAGS)), start=st.text(max_size=3))
@example(tags={"a", "a-b", "a.b", "a_b", "A", "0"}, left=set(NO_TAGS), start="a-")
def test_tags_are_paged_in_ascii_order(kind: str, tags: set[str], left: set[str], start: str) -> None:
    with driver_of(kind) as driver:
        put(driver, f"{paths.manifests('a')}/revisions/x")
        for name in tags | left:
            put(driver, f"{paths.tags('a')}/{name}/current/link")
        service = Registry(driver).repository("a").tags
        assert service.list(CTX) == sorted(tags)
        for n in range(1, len(tags) + 2):
            found: list[str] = []
            while part := service.list(CTX, found[-1] if found else "", n):
                assert len(part) == min(n, len(tags) - len(found))
                found += part
            assert found == sorted(tags)
        rest = [tag for tag in sorted(tags) if tag > start]
        assert service.list(CTX, start) == rest
        assert service.list(CTX, start, 3) == rest[:3]
