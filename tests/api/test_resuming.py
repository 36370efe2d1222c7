"""An upload that goes on in another process: nothing is shared but the storage."""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.context import Context
from registry_wsgi.drivers.filesystem import FilesystemDriver
from registry_wsgi.storage import paths
from tests import storages
from tests.api.inprocess import BreakingStream, InProcess
from tests.stack import CountingDriver, stack_over
from tests.wire import digest_of, with_query

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from registry_wsgi.interfaces import StorageDriver

CTX = Context()
CONTENT = bytes(range(256)) * 20
HALF = len(CONTENT) // 2
DIGEST = digest_of(CONTENT)

Worker = tuple[InProcess, CountingDriver]


@pytest.fixture
def worker(tmp_path: Path) -> Callable[[], Worker]:
    """Make a client of one more process on the same directory, and the driver that counts its calls."""

    def make() -> Worker:
        driver = CountingDriver(storages.driver_at(tmp_path))
        return InProcess(stack_over(driver)), driver

    return make


def data_reads(driver: CountingDriver) -> int:
    return driver.taken().count("reader data")


def record(location: str) -> str:
    """Return the path where an upload has its digests so far."""
    return paths.upload_progress("a", location.rpartition("/")[2])


def append(driver: StorageDriver, location: str, content: bytes) -> None:
    """Write to an upload and leave its record as it is."""
    with closing(driver.writer(CTX, paths.upload_data("a", location.rpartition("/")[2]), append=True)) as data:
        data.write(content)
        data.flush()


@pytest.mark.parametrize("query", ["", "?digest-algorithm=sha512"])
def test_no_worker_reads_what_another_has_received(worker: Callable[[], Worker], query: str) -> None:
    (client, driver), workers = worker(), [worker() for _ in range(5)]
    location = client.request("POST", f"/v2/a/blobs/uploads/{query}", b"").headers["Location"]
    for at, (other, _) in enumerate(workers):
        piece = CONTENT[at * 1000 : (at + 1) * 1000]
        location = other.request("PATCH", location, iter([piece]) if at % 2 else piece).headers["Location"]
    algorithm = query.rpartition("=")[2] or "sha256"
    digest = f"{algorithm}:{hashlib.new(algorithm, CONTENT).hexdigest()}"
    assert client.request("PUT", with_query(location, digest=digest), CONTENT[5000:]).status == 201
    assert [data_reads(each) for _, each in [*workers, (client, driver)]] == [0] * 6
    assert client.blob("a", digest).body == CONTENT


def test_a_put_without_a_body_reads_nothing(worker: Callable[[], Worker]) -> None:
    (first, _), (second, driver) = worker(), worker()
    location = first.request("PATCH", first.start_upload("a"), CONTENT).headers["Location"]
    assert second.request("PUT", with_query(location, digest=DIGEST), b"").status == 201
    assert data_reads(driver) == 0


def test_what_arrived_of_a_body_that_broke_off_is_not_read_again(worker: Callable[[], Worker]) -> None:
    (first, _), (second, driver) = worker(), worker()
    location = first.start_upload("a")
    assert first.send("PATCH", location, BreakingStream(CONTENT[:HALF], OSError("gone")), None).status == 400
    assert second.request("GET", location).headers["Range"] == f"0-{HALF - 1}"
    assert second.request("PUT", with_query(location, digest=DIGEST), CONTENT[HALF:]).status == 201
    assert data_reads(driver) == 0


@pytest.mark.parametrize("rest", [b"", CONTENT[HALF:]], ids=["put without a body", "put with the rest"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda _: None,
        lambda _: b"",
        lambda content: content[:-1],
        lambda content: content.replace(b"0", b"1"),
        lambda _: b'{"version": 1, "offset": 2560}',
        lambda _: bytes(range(256)),
    ],
    ids=["gone", "empty", "cut", "changed", "foreign", "binary"],
)
def test_without_a_record_to_believe_the_data_is_read_again(
    worker: Callable[[], Worker], damage: Callable[[bytes], bytes | None], rest: bytes
) -> None:
    (first, _), (second, driver) = worker(), worker()
    location = first.request("PATCH", first.start_upload("a"), CONTENT[: HALF if rest else None]).headers["Location"]
    damaged = damage(driver.get_content(CTX, record(location)))
    if damaged is None:
        driver.delete(CTX, record(location))
    else:
        driver.put_content(CTX, record(location), damaged)
    assert second.request("PUT", with_query(location, digest=DIGEST), rest).status == 201
    assert data_reads(driver) == 1
    assert second.blob("a", DIGEST).body == CONTENT


def test_data_that_came_after_the_record_is_read_again(worker: Callable[[], Worker]) -> None:
    """A worker that was killed has written, and left the record of the request before."""
    (first, _), (second, driver) = worker(), worker()
    location = first.request("PATCH", first.start_upload("a"), CONTENT[:1000]).headers["Location"]
    append(driver, location, CONTENT[1000:HALF])
    answer = second.request("PATCH", location, CONTENT[HALF:])
    assert answer.headers["Range"] == f"0-{len(CONTENT) - 1}"
    assert data_reads(driver) == 1
    assert second.request("PUT", with_query(location, digest=DIGEST), b"").status == 201
    assert data_reads(driver) == 0


def test_a_write_that_fails_half_way_leaves_no_record_of_more_than_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = FilesystemDriver(rootdirectory=tmp_path)
    client = InProcess(stack_over(driver))
    location = client.request("PATCH", client.start_upload("a"), CONTENT[:1000]).headers["Location"]
    with monkeypatch.context() as patch:
        patch.setattr("registry_wsgi.drivers.locked.write_all", full_after(100))
        assert client.request("PATCH", location, CONTENT[1000:]).status == 503
    assert client.request("GET", location).headers["Range"] == "0-1099"
    # Other content than what could not be written, up to where the record would have been ahead.
    append(driver, location, bytes(len(CONTENT) - 1100))
    assert client.request("PUT", with_query(location, digest=DIGEST), b"").status == 400


def full_after(size: int) -> Callable[[int, bytes], int]:
    """Return a write_all for a disk that is full after `size` more bytes."""

    def write(file: int, content: bytes) -> int:
        os.write(file, content[:size])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return write
