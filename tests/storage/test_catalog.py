"""The order of the catalog, and what a page of it reads."""

from __future__ import annotations

from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from registry_wsgi.context import Context
from registry_wsgi.storage.registry import Registry
from tests import storages
from tests.stack import CountingDriver

CTX = Context()
WORDS = st.sampled_from(["a", "b", "a-b", "a.b", "a0", "0"])
NAMES = st.lists(WORDS, min_size=1, max_size=3).map("/".join)


def registry_of(names: list[str]) -> tuple[Registry, CountingDriver]:
    driver = CountingDriver(storages.new_driver())
    for name in names:
        driver.put_content(CTX, f"/docker/registry/v2/repositories/{name}/_manifests/tags/v1/current/link", b"")
    driver.taken()
    return Registry(driver), driver


@settings(max_examples=storages.sampled(100))
@given(st.sets(NAMES, min_size=1), st.integers(1, 4), NAMES)
def test_pages_put_together_are_the_sorted_whole(names: set[str], n: int, start: str) -> None:
    registry, _ = registry_of(list(names))
    ordered = sorted(names, key=lambda name: name.split("/"))
    pages: list[str] = []
    while page := list(islice(registry.repositories(CTX, pages[-1] if pages else ""), n)):
        pages += page
    assert pages == ordered
    after = [name for name in ordered if name.split("/") > start.split("/")]
    assert list(registry.repositories(CTX, start)) == after


def test_a_page_reads_only_the_directories_it_shows() -> None:
    registry, driver = registry_of([f"team{number:03}/image" for number in range(100)])
    assert list(islice(registry.repositories(CTX, "team049/image"), 2)) == ["team050/image", "team051/image"]
    assert len(driver.taken()) <= 8


def test_a_directory_of_uploads_alone_is_no_repository() -> None:
    registry, driver = registry_of(["a"])
    driver.put_content(CTX, "/docker/registry/v2/repositories/b/_uploads/x/startedat", b"")
    assert list(registry.repositories(CTX)) == ["a"]


def test_an_empty_store_has_no_repositories() -> None:
    assert list(Registry(storages.new_driver()).repositories(CTX)) == []
