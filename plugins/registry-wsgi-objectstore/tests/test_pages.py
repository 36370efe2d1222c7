"""Pages of directories: what they show, and how much is listed for them."""

from __future__ import annotations

import pytest
from obstore.store import MemoryStore
from registry_wsgi_objectstore import ObjectStoreDriver
from registry_wsgi_objectstore.objects import Objects

from registry_wsgi.context import Context
from registry_wsgi.errors import PathNotFound

CTX = Context()
TAGS = [f"v1.{number:04}" for number in range(3000)]


class Counting(Objects):
    """Objects that count the keys they list, and how often they list all names of a directory."""

    keys = 0
    listings = 0

    def below(self, path, after=""):
        for found in super().below(path, after):
            self.keys += 1
            yield found

    def children(self, path):
        self.listings += 1
        return super().children(path)


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def driver(store):
    driver = ObjectStoreDriver("objectstore", store)
    driver._objects = Counting("objectstore", store)
    return driver


def test_a_page_of_many_tags_is_read_from_where_it_begins(driver, store):
    for tag in TAGS:
        store.put(f"tags/{tag}/current/link", b"")
        store.put(f"tags/{tag}/index/link", b"")
    assert driver.list_after(CTX, "/tags", "v1.1499", 50) == TAGS[1500:1550]
    assert driver.list_after(CTX, "/tags", "v1.2990", 50) == TAGS[2991:]
    assert (driver._objects.keys <= 1100, driver._objects.listings) == (True, 0)
    assert driver.list_after(CTX, "/tags", "v2", 50) == []
    assert driver._objects.listings == 0


def test_a_page_of_directories_with_much_below_them_is_read_from_their_names(driver, store):
    for name in ("a", "b", "c", "d"):
        for number in range(600):
            store.put(f"repositories/{name}/_layers/{number}/link", b"")
    assert driver.list_after(CTX, "/repositories", "a", 3) == ["b", "c", "d"]
    assert (driver._objects.keys, driver._objects.listings) == (1000, 1)


def test_a_directory_whose_keys_come_after_the_page_is_in_it(driver, store):
    for tag in TAGS:
        store.put(f"tags/{tag}/current/link", b"")
    store.put("tags/v1/current/link", b"")
    assert driver.list_after(CTX, "/tags", "v", 3) == ["v1", *TAGS[:2]]
    assert driver._objects.listings == 0


@pytest.mark.parametrize("path", ["/none", "/none/below", "/file"])
def test_a_page_in_the_middle_of_what_is_no_directory_is_none(driver, path):
    driver.put_content(CTX, "/file", b"content")
    with pytest.raises(PathNotFound):
        driver.list_after(CTX, path, "a", 10)
