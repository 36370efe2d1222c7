"""What killed processes leave in a bucket: objects, and multipart uploads that no listing of objects shows."""

from __future__ import annotations

import time
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from registry_wsgi_s3 import S3Driver

from registry_wsgi.context import Context
from registry_wsgi.errors import PathNotFound
from registry_wsgi.storage import paths
from registry_wsgi.storage.purge import purge_uploads
from registry_wsgi.testing._drivers_case import seeded
from tests.api.inprocess import InProcess
from tests.seaweed import BUCKET
from tests.stack import stack_over

CTX = Context()
PART = 5 * 2**20
ROOT = "purging"
CONTENT = seeded(2 * PART + 1000)


@pytest.fixture
def section(seaweed):
    return seaweed.section(ROOT, chunksize=PART, uploadlease=1)


@pytest.fixture
def left(seaweed):
    """Return the keys of objects and of multipart uploads that the store has of the driver."""

    def left():
        with closing(seaweed.client()) as client:
            uploads = client.list_multipart_uploads(Bucket=BUCKET, Prefix=f"{ROOT}/").get("Uploads", [])
            objects = client.list_objects_v2(Bucket=BUCKET, Prefix=f"{ROOT}/").get("Contents", [])
        return [each["Key"] for each in objects], [each["Key"] for each in uploads]

    return left


def test_the_purger_leaves_neither_objects_nor_parts(section, left):
    """Of an upload between two requests, of one whose writer died in a request, and of content that was staged."""
    dead, living = S3Driver(**section), S3Driver(**section)
    client = InProcess(stack_over(dead))
    for name in ("between", "within"):
        location = client.start_upload(name)
        assert client.request("PATCH", location, CONTENT).status == 202
    data = paths.upload_data("within", urlsplit(location).path.rpartition("/")[2])
    writer = dead.writer(CTX, data, append=True)
    writer.write(CONTENT)
    staged = dead.stage(CTX, "/blob")
    staged.write(CONTENT)
    assert purge_uploads(CTX, living, age=3600).deleted == []
    assert len(left()[1]) == 3
    deadline = time.monotonic() + 60
    while left() != ([], []):
        assert time.monotonic() < deadline, left()
        time.sleep(0.5)  # until the lease of the dead writer is over
        assert purge_uploads(CTX, living, age=0).errors == []
    with pytest.raises(PathNotFound):
        staged.commit()
