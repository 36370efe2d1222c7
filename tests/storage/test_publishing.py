"""Uploads of one blob that are committed at once, over a store where one commit drops the parts of another."""

from __future__ import annotations

import pytest

from registry_wsgi.drivers.inmemory import InMemoryDriver
from registry_wsgi.errors import DriverError
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
