"""Content whose place is known first: it is sent there once, and what nobody finishes is found."""

from __future__ import annotations

import time
from contextlib import closing, suppress

import obstore
import pytest
from registry_wsgi_objectstore.objects import PART
from registry_wsgi_objectstore.stores import azure

from registry_wsgi.context import Context
from registry_wsgi.errors import DriverError, PathNotFound
from registry_wsgi.storage.purge import purge_uploads
from registry_wsgi.testing._drivers_case import seeded
from tests.api.inprocess import InProcess
from tests.stack import stack_over
from tests.wire import digest_of

CTX = Context()
LARGE = seeded(PART + 1000)


@pytest.fixture
def driver(section):
    return azure(**section)


def keys(driver):
    """Return the keys below the driver's root."""
    objects = driver._objects
    return [found.path for found in objects.below("/")]


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
def test_a_blob_whose_digest_is_known_first_is_sent_to_its_place(driver, content, monkeypatch):
    monkeypatch.setattr(driver._objects, "concatenate", pytest.fail)
    client = InProcess(stack_over(driver))
    answer = client.request("POST", f"/v2/a/blobs/uploads/?digest={digest_of(content)}", content)
    assert answer.status == 201
    assert client.blob("a", digest_of(content)).body == content
    assert [key.rpartition("/")[2] for key in keys(driver)] == ["data", "link"]


def test_of_two_that_send_the_same_blob_at_once_one_is_enough(driver):
    """The store may drop the other's parts with the first commit; tests/storage/test_publishing.py has what follows."""
    first, second = (driver.stage(CTX, "/blob") for _ in range(2))
    for writer in (first, second):
        writer.write(LARGE)
    with closing(first):
        first.commit()
    assert driver.get_content(CTX, "/blob") == LARGE
    with closing(second), suppress(DriverError):
        second.commit()
    assert driver.get_content(CTX, "/blob") == LARGE
    assert keys(driver) == ["/blob"]


def test_the_purger_gives_up_what_was_staged_and_what_was_begun(section):
    """Of all that a killed process leaves behind no object is left."""
    dead, living = azure(**section), azure(**section)
    client = InProcess(stack_over(dead))
    assert client.request("PATCH", client.start_upload("a"), LARGE).status == 202
    staged = dead.stage(CTX, "/blob")
    staged.write(LARGE)
    assert purge_uploads(CTX, living, age=3600).deleted == []
    time.sleep(1.1)  # Azurite's times are of whole seconds
    assert len(purge_uploads(CTX, living, age=0, dry_run=True).deleted) == 2
    assert "/blob" in purge_uploads(CTX, living, age=0).deleted
    assert keys(living) == []
    with pytest.raises(PathNotFound):
        staged.commit()


def test_a_stream_that_is_written_to_is_not_given_up(driver, monkeypatch):
    monkeypatch.setattr("registry_wsgi_objectstore.staging._RENEWED_EVERY", -1.0)
    with closing(driver.stage(CTX, "/blob")) as writer:
        writer.write(LARGE)
        time.sleep(2.1)
        writer.write(b"more")
        assert purge_uploads(CTX, driver, age=1.5).deleted == []
        writer.commit()
    assert obstore.head(driver._objects._store, driver._objects._key("/blob"))["size"] == len(LARGE) + 4
