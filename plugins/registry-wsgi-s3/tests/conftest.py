"""A store that speaks S3, on loopback."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest
from registry_wsgi_s3 import S3Driver, access

from tests import seaweed as store
from tests import servers
from tests.s3_proxy import proxied
from tests.sampling import sample

numbers = itertools.count()


@pytest.fixture(scope="session")
def seaweed() -> store.SeaweedFS:
    return store.shared()


@pytest.fixture
def free_endpoint() -> str:
    """The URL of a port at which nothing listens."""
    return f"http://127.0.0.1:{servers.free_port()}"


@pytest.fixture
def proxy(seaweed):
    with proxied(seaweed.endpoint) as proxy:
        yield proxy


@pytest.fixture
def faulty_section(seaweed):
    return seaweed.section(f"faults/{next(numbers)}")


@pytest.fixture
def healthy(faulty_section):
    """A driver over the same store that no fault reaches."""
    return S3Driver(**faulty_section)


@pytest.fixture
def faulty(request, faulty_section, proxy, monkeypatch):
    """A driver over the proxy, which does not wait between two tries; for an answer only where none will come."""
    for module in ("botocore.endpoint", "registry_wsgi_s3.hot"):
        monkeypatch.setattr(f"{module}.time", SimpleNamespace(sleep=lambda seconds: None))
    if "timeout" in request.node.name:
        monkeypatch.setattr(access, "READ_SECONDS", 3)
    return S3Driver(**faulty_section | {"regionendpoint": proxy.endpoint, "uploadlease": 1, "chunksize": 5 * 2**20})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    sample(item for item in items if item.path == Path(__file__).with_name("test_driver.py"))
