"""The in-memory driver."""

from __future__ import annotations

import pytest

from registry_wsgi.drivers.inmemory import InMemoryDriver
from registry_wsgi.testing.drivers import StorageDriverSuite


class TestInMemoryDriver(StorageDriverSuite):
    modified_resolution = 0.01
    soak_stream_size = 512 * 2**20

    @pytest.fixture
    def driver(self):
        return InMemoryDriver()
