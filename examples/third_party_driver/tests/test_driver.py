"""The suite of storage drivers, passed over two of fsspec's file systems."""

import pytest
from fsspec_driver import FsspecDriver

from registry_wsgi.testing.drivers import StorageDriverSuite


class TestInMemory(StorageDriverSuite):
    has_directories = False
    shows_unfinished_writes = False

    @pytest.fixture
    def driver(self):
        options = {"global_store": False, "skip_instance_cache": True}
        return FsspecDriver(protocol="memory", rootdirectory="/registry", options=options)


class TestLocal(StorageDriverSuite):
    shows_unfinished_writes = False

    @pytest.fixture
    def driver(self, tmp_path):
        return FsspecDriver(protocol="file", rootdirectory=str(tmp_path / "registry"))
