"""What each request costs in calls to the storage driver, exactly."""

from __future__ import annotations

import os
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.descriptor import Digest
from registry_wsgi.drivers.filesystem import FilesystemDriver
from tests.stack import CountingDriver, image_manifest, push_blob, push_image, stack_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from webtest import TestApp

LAYER = b"layer" * 100_000
MANIFEST_TYPE = {"Content-Type": mediatypes.OCI_MANIFEST}


@pytest.fixture
def driver(tmp_path: Path) -> CountingDriver:
    return CountingDriver(FilesystemDriver(rootdirectory=tmp_path))


@pytest.fixture
def cached(driver: CountingDriver) -> TestApp:
    app = stack_over(driver, cache=InMemoryCacheProvider())
    push_image(app, "a/b", "v1", b"{}", LAYER)
    driver.taken()
    return app


@pytest.fixture
def uncached(driver: CountingDriver, cached: TestApp) -> TestApp:
    """Another process on the same tree, without a cache."""
    return stack_over(driver)


def test_the_base_touches_no_storage(cached: TestApp, driver: CountingDriver) -> None:
    cached.get("/v2/")
    assert driver.taken() == []


def test_head_of_a_cached_blob_looks_whether_link_and_data_are_there(cached: TestApp, driver: CountingDriver) -> None:
    cached.head(f"/v2/a/b/blobs/{Digest.of(LAYER)}", status=200)
    assert driver.taken() == ["stat link", "see data"]


def test_head_of_an_uncached_blob_reads_the_link_and_makes_one_stat(uncached: TestApp, driver: CountingDriver) -> None:
    uncached.head(f"/v2/a/b/blobs/{Digest.of(LAYER)}", status=200)
    assert driver.taken() == ["get_content link", "stat data"]


def test_head_of_an_absent_blob_looks_for_its_link_only(cached: TestApp, driver: CountingDriver) -> None:
    cached.head(f"/v2/a/b/blobs/{Digest.of(b'absent')}", status=404)
    assert driver.taken() == ["get_content link"]


def test_get_of_a_blob_makes_one_stat_and_opens_it_once(uncached: TestApp, driver: CountingDriver) -> None:
    assert uncached.get(f"/v2/a/b/blobs/{Digest.of(LAYER)}").body == LAYER
    assert driver.taken() == ["get_content link", "stat data", "reader data"]


def test_get_of_a_cached_blob_takes_its_size_from_the_cache(cached: TestApp, driver: CountingDriver) -> None:
    assert cached.get(f"/v2/a/b/blobs/{Digest.of(LAYER)}").body == LAYER
    assert driver.taken() == ["stat link", "reader data"]


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_manifest_by_tag_reads_tag_link_and_content(method: str, cached: TestApp, driver: CountingDriver) -> None:
    getattr(cached, method)("/v2/a/b/manifests/v1", status=200)
    assert driver.taken() == ["get_content link", "get_content link", "reader data"]


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_manifest_by_digest_reads_link_and_content(method: str, cached: TestApp, driver: CountingDriver) -> None:
    digest = cached.get("/v2/a/b/manifests/v1").headers["Docker-Content-Digest"]
    driver.taken()
    getattr(cached, method)(f"/v2/a/b/manifests/{digest}", status=200)
    assert driver.taken() == ["get_content link", "reader data"]


def test_an_upload_reads_nothing_of_the_blob_again(cached: TestApp, driver: CountingDriver) -> None:
    content = b"new" * 100_000
    location = cached.post("/v2/a/b/blobs/uploads/").headers["Location"]
    assert driver.taken() == ["put_content startedat", "put_content data"]
    cached.patch(location, content[:1000])
    assert driver.taken() == ["writer data", "put_content progress"]
    cached.patch(location, content[1000:])
    assert driver.taken() == ["writer data", "get_content progress", "put_content progress"]
    cached.get(location, status=204)
    assert driver.taken() == ["stat data"]
    cached.put(f"{location}?digest={Digest.of(content)}", b"", status=201)
    upload_id = location.rpartition("/")[2]
    assert driver.taken() == [
        "writer data",
        "get_content progress",
        "stat data",
        "move data",
        "put_content link",
        f"delete {upload_id}",
    ]


def test_a_monolithic_upload_keeps_no_progress(cached: TestApp, driver: CountingDriver) -> None:
    push_blob(cached, "a/b", b"monolithic")
    assert [call.partition(" ")[0] for call in driver.taken()] == [
        "put_content",
        "put_content",
        "writer",
        "stat",
        "move",
        "put_content",
        "delete",
    ]


def test_a_blob_that_is_there_already_is_not_moved_again(cached: TestApp, driver: CountingDriver) -> None:
    push_blob(cached, "other", LAYER)
    assert not [call for call in driver.taken() if call.startswith("move")]


def test_a_mount_asks_the_driver_and_writes_one_link(cached: TestApp, driver: CountingDriver) -> None:
    cached.post(f"/v2/other/blobs/uploads/?mount={Digest.of(LAYER)}&from=a/b", status=201)
    assert driver.taken() == ["get_content link", "stat data", "put_content link"]


def test_pushing_a_manifest_asks_the_driver_for_each_reference(cached: TestApp, driver: CountingDriver) -> None:
    payload = image_manifest(Digest.of(b"{}"), Digest.of(LAYER), annotations={"another": "one"})
    cached.put("/v2/a/b/manifests/v2", payload, headers=MANIFEST_TYPE, status=201)
    assert driver.taken() == [
        *["get_content link", "stat data"] * 2,
        "stat data",
        "put_content data",
        "put_content link",
        *["put_content link", "put_content link", "stat link"],  # the tag still stands
        *["get_content link", "reader data"],  # and so does what it points at
    ]


def test_tags_and_catalog_list_directories_and_read_no_file(cached: TestApp, driver: CountingDriver) -> None:
    cached.get("/v2/a/b/tags/list")
    assert driver.taken() == ["list tags"]
    cached.get("/v2/a/b/tags/list?n=1")
    assert driver.taken() == ["list_after tags"]
    cached.get("/v2/_catalog")
    assert driver.taken() == ["list_after repositories", "list_after a", "list_after b"]


def test_a_page_of_the_catalog_goes_straight_to_where_the_last_one_ended(
    cached: TestApp, driver: CountingDriver
) -> None:
    for name in ("a/a", "a/b/c", "a/c", "b"):
        push_blob(cached, name, LAYER)
    driver.taken()
    assert cached.get("/v2/_catalog?n=1&last=a/b").json["repositories"] == ["a/b/c"]
    # One more is looked for, to tell whether there is a next page.
    assert driver.taken() == ["list_after b", "list_after c", "list_after a", "list_after c"]


def test_an_upload_flushes_what_its_201_promises(driver: CountingDriver, cached: TestApp, tmp_path: Path) -> None:
    """Data before its rename, a link before its own, and each directory that got an entry; nothing else.

    PATCH flushes too: the record of the digest so far must never be on the disk before the data that it speaks of. What
    is recorded is not flushed again, and nothing promises that an upload itself outlives a loss of power.
    """
    content = b"flushed"
    hexadecimal = Digest.of(content).partition(":")[2]
    with flushes(tmp_path) as flushed:
        location = cached.post("/v2/a/b/blobs/uploads/").headers["Location"]
        assert flushed == []
        cached.patch(location, content)
        assert flushed == [f"repositories/a/b/_uploads/{location.rpartition('/')[2]}/data"]
        flushed.clear()
        cached.put(f"{location}?digest={Digest.of(content)}", b"", status=201)
        made = {f"blobs/sha256{part}" for part in ("", f"/{hexadecimal[:2]}", f"/{hexadecimal[:2]}/{hexadecimal}")}
        assert set(flushed[:3]) == made
        assert flushed[3] == "the link, still hidden"
        assert flushed[4:] == [f"repositories/a/b/_layers/sha256/{hexadecimal}", "repositories/a/b/_layers/sha256"]


def test_a_small_layer_asks_the_system_for_little(driver: CountingDriver, cached: TestApp) -> None:
    """Each is a system call that lets go of the lock all threads want: they are most of what storing costs."""
    content, asked = b"small", Counter[str]()
    with pytest.MonkeyPatch.context() as patch:
        for name in _SYSTEM:
            patch.setattr(os, name, counting(name, getattr(os, name), asked))
        location = cached.post("/v2/a/b/blobs/uploads/").headers["Location"]
        cached.patch(location, content)
        cached.put(f"{location}?digest={Digest.of(content)}", b"", status=201)
    assert asked == {
        "open": 12,
        "close": 10,
        "write": 4,
        "read": 1,
        "stat": 5,
        "access": 4,
        "fstat": 4,
        "lstat": 3,
        "mkdir": 5,
        "rename": 3,
        "replace": 3,
        "unlink": 3,
        "rmdir": 1,
        "listdir": 1,
        "fsync": 7,
    }


_SYSTEM = [
    "open",
    "close",
    "write",
    "read",
    "stat",
    "access",
    "fstat",
    "lstat",
    "mkdir",
    "rename",
    "replace",
    "unlink",
    "rmdir",
]
_SYSTEM += ["listdir", "scandir", "fsync"]


def counting(name: str, real: Callable[..., object], asked: Counter[str]) -> Callable[..., object]:
    """Count the calls of this thread: what tests before this one began may go on in others."""
    mine = threading.get_ident()

    def counted(*arguments: object, **options: object) -> object:
        if threading.get_ident() == mine:
            asked[name] += 1
        return real(*arguments, **options)

    return counted


@contextmanager
def flushes(root: Path) -> Iterator[list[str]]:
    """Give the list of what is flushed meanwhile, by its path in the tree."""
    flushed: list[str] = []
    real = os.fsync

    def fsync(file: int) -> None:
        path = os.readlink(f"/proc/self/fd/{file}")
        hidden = "~" in path
        flushed.append("the link, still hidden" if hidden else os.path.relpath(path, f"{root}/docker/registry/v2"))
        real(file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield flushed
