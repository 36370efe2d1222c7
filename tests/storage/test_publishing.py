"""Uploads that cannot be committed at once: a store drops the parts of another, or has no room for the link."""

from __future__ import annotations

import hashlib

import pytest

from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.drivers.inmemory import InMemoryDriver
from registry_wsgi.errors import DriverError, PathNotFound
from registry_wsgi.storage import paths
from tests.api.inprocess import InProcess
from tests.stack import stack_over
from tests.wire import digest_of, with_query

CONTENT = b"content"


class Failing(InMemoryDriver):
    def move(self, ctx, source, target):
        raise DriverError(self.name, "the parts are gone")


class Beaten(Failing):
    """Another upload of the same blob comes first."""

    def move(self, ctx, source, target):
        self.put_content(ctx, target, self.get_content(ctx, source))
        super().move(ctx, source, target)


@pytest.mark.parametrize(("driver", "status", "found"), [(Beaten(), 201, 200), (Failing(), 503, 404)])
def test_an_upload_that_cannot_be_moved_is_acknowledged_where_the_blob_is_there(driver, status, found):
    client = InProcess(stack_over(driver))
    location = client.start_upload("a")
    assert client.request("PATCH", location, CONTENT).status == 202
    answer = client.request("PUT", with_query(location, digest=digest_of(CONTENT)), b"")
    assert answer.status == status
    assert client.request("HEAD", f"/v2/a/blobs/{digest_of(CONTENT)}").status == found
    assert (client.request("GET", location).status == 404) == (found == 200)


class Full(InMemoryDriver):
    """A store that has no room for links while it is `full`."""

    full = True

    def put_content(self, ctx, path, content, *, durable=True):
        if self.full and "/_layers/" in path:
            raise DriverError(self.name, "no space left")
        super().put_content(ctx, path, content, durable=durable)


@pytest.fixture
def unlinked() -> tuple[InProcess, Full, str]:
    """An upload of CONTENT whose PUT made it a blob and could not link it: the client, the driver, the location."""
    driver = Full()
    client = InProcess(stack_over(driver))
    location = client.request("PATCH", client.start_upload("a"), CONTENT).headers["Location"]
    answer = client.request("PUT", with_query(location, digest=digest_of(CONTENT)), b"")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    driver.full = False
    return client, driver, location


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_put_that_comes_again_after_the_link_could_not_be_written_is_taken(algorithm):
    driver = Full()
    client = InProcess(stack_over(driver))
    digest = f"{algorithm}:{hashlib.new(algorithm, CONTENT).hexdigest()}"
    begun = client.request("POST", f"/v2/a/blobs/uploads/?digest-algorithm={algorithm}", b"").headers["Location"]
    location = client.request("PATCH", begun, CONTENT).headers["Location"]
    assert client.request("PUT", with_query(location, digest=digest), b"").status == 503
    assert client.blob("a", digest).status == 404
    driver.full = False
    answer = client.request("PUT", with_query(location, digest=digest), b"")
    assert (answer.status, answer.digest) == (201, digest)
    assert client.blob("a", digest).body == CONTENT
    assert client.request("PUT", with_query(location, digest=digest), b"").status == 404
    with pytest.raises(PathNotFound):
        driver.list(Context(), paths.upload("a", location.split("?")[0].rpartition("/")[2]))


@pytest.mark.parametrize("query", ["", f"digest={digest_of(b'other')}", "digest=sha512:" + "0" * 128])
def test_what_an_upload_does_not_prove_is_not_linked(query, unlinked):
    client, _, location = unlinked
    client.push_blob("elsewhere", b"other")
    assert client.request("PUT", f"{location}?{query}", b"").status == 404
    assert client.blob("a", digest_of(b"other")).status == 404


def test_a_put_that_comes_again_with_more_content_is_refused(unlinked):
    client, _, location = unlinked
    assert client.request("PUT", with_query(location, digest=digest_of(CONTENT)), b"more").status == 404


def test_an_upload_whose_blob_was_collected_is_gone(unlinked):
    client, driver, location = unlinked
    driver.delete(Context(), paths.blob_data(Digest.of(CONTENT)))
    assert client.request("PUT", with_query(location, digest=digest_of(CONTENT)), b"").status == 404
