"""A store that speaks S3, on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import seaweed as store
from tests import servers
from tests.sampling import sample


@pytest.fixture(scope="session")
def seaweed() -> store.SeaweedFS:
    return store.shared()


@pytest.fixture
def free_endpoint() -> str:
    """The URL of a port at which nothing listens."""
    return f"http://127.0.0.1:{servers.free_port()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    sample(item for item in items if item.path == Path(__file__).with_name("test_driver.py"))
