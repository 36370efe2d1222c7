"""Uploads that another process goes on with, also where the one before was killed."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest
from registry_wsgi_s3 import S3Driver

from registry_wsgi.context import Context
from registry_wsgi.errors import DriverError, PathBusy, PathNotFound
from registry_wsgi.testing._drivers_case import seeded
from tests.api.inprocess import InProcess
from tests.stack import stack_over
from tests.wire import digest_of, with_query

CTX = Context()
PART = 5 * 2**20
numbers = itertools.count()


@pytest.fixture
def section(seaweed):
    return seaweed.section(f"resuming/{next(numbers)}", chunksize=PART, uploadlease=1)


@pytest.fixture
def driver(section):
    return S3Driver(**section)


@pytest.fixture
def other(section):
    return S3Driver(**section)


def taken_over(driver, path, seconds=60.0):
    """Return a writer once the lease of the one before is over."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return driver.writer(CTX, path, append=True)
        except PathBusy:
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.mark.parametrize("flushed", [0, PART // 2, PART, 2 * PART + 5], ids="{} bytes flushed".format)
def test_what_arrived_whole_is_there_after_the_writer_died(driver, other, flushed):
    content = seeded(4 * PART + 1000)
    dead = driver.writer(CTX, "/a")
    if flushed:
        dead.write(content[:flushed])
        dead.flush()
    dead.write(content[flushed : 3 * PART + 10])
    dead._stream._collect(0)  # what is on its way arrives, and the process ends
    with closing(taken_over(other, "/a")) as writer:
        assert flushed <= writer.size <= 3 * PART + 10
        assert writer.size >= 2 * PART
        writer.write(content[writer.size :])
        writer.commit()
    assert other.get_content(CTX, "/a") == content


def test_a_writer_that_stood_still_for_too_long_changes_nothing_any_more(driver, other):
    slow = driver.writer(CTX, "/a")
    slow.write(b"slow")
    with closing(taken_over(other, "/a")) as writer:
        writer.write(b"quick")
        for settle in (slow.flush, slow.commit):
            with pytest.raises(PathNotFound):
                settle()
        writer.commit()
        with pytest.raises(PathNotFound):
            slow.close()
    assert other.get_content(CTX, "/a") == b"quick"


def test_parts_that_another_wrote_over_are_in_no_object(driver, other):
    """A store refuses to complete with them, or, as SeaweedFS, still has those that the state names."""
    content = seeded(2 * PART)
    with closing(driver.writer(CTX, "/a")) as writer:
        writer.write(content)
        writer.flush()
        state = writer._state()
        other._bucket.put_part(other._bucket.key("/a"), state.upload, 1, bytearray(PART))
        with suppress(DriverError):
            writer.commit()
    with suppress(PathNotFound):
        assert driver.get_content(CTX, "/a") == content


def test_a_slow_writer_keeps_its_hold(driver, other):
    with closing(driver.writer(CTX, "/a")) as writer:
        for _ in range(8):
            writer.write(b"drop")
            with pytest.raises(PathBusy):
                other.writer(CTX, "/a", append=True)
            time.sleep(0.4)
        writer.commit()
    assert other.get_content(CTX, "/a") == b"drop" * 8


def test_every_request_of_an_upload_may_go_to_another_process(driver, other):
    content = seeded(3 * PART)
    clients = itertools.cycle([InProcess(stack_over(each)) for each in (driver, other)])
    location = next(clients).start_upload("a/b")
    for begin, end in itertools.pairwise([0, 1, PART - 1, PART + 7, 2 * PART, 3 * PART - 1]):
        answer = next(clients).request("PATCH", location, content[begin:end])
        assert (answer.status, answer.headers["Range"]) == (202, f"0-{end - 1}")
        assert next(clients).request("GET", location).headers["Range"] == f"0-{end - 1}"
    answer = next(clients).request("PUT", with_query(location, digest=digest_of(content)), content[-1:])
    assert answer.status == 201
    assert next(clients).blob("a/b", digest_of(content)).body == content
    assert driver._bucket.list(driver._bucket.key("/docker/registry/v2/repositories/a/b/_uploads")).keys == []


def test_of_writers_that_begin_at_once_one_has_the_upload(section):
    """The state of an upload is made with If-None-Match, and changed with If-Match."""
    drivers = [S3Driver(**section) for _ in range(4)]
    for path, append in (("/new", False), ("/old", True)):
        if append:
            drivers[0].put_content(CTX, path, b"content")
        opened, start = [], threading.Barrier(len(drivers))

        def begin(driver, path=path, append=append, opened=opened, start=start):
            start.wait()
            with suppress(PathBusy):
                opened.append(driver.writer(CTX, path, append=append))

        with ThreadPoolExecutor(len(drivers)) as pool:
            list(pool.map(begin, drivers))
        assert len(opened) == 1
        opened[0].close()
