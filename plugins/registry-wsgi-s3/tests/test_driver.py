"""The driver over SeaweedFS: the suite of storage drivers."""

from __future__ import annotations

import itertools

import pytest
from registry_wsgi_s3 import S3Driver

from registry_wsgi.testing.drivers import StorageDriverSuite

numbers = itertools.count()


class TestS3Driver(StorageDriverSuite):
    has_directories = False
    shows_unfinished_writes = False
    soak_stream_size = 512 * 2**20

    @pytest.fixture
    def section(self, seaweed):
        return seaweed.section(f"suite/{next(numbers)}")

    @pytest.fixture
    def driver(self, section):
        return S3Driver(**section)

    @pytest.fixture
    def other_driver(self, section):
        return S3Driver(**section)
