"""An Azurite that the tests share; each test has a root of its own in it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests import azurite
from tests.sampling import sample

if TYPE_CHECKING:
    from tests.azurite import Azurite


@pytest.fixture(scope="session")
def emulator() -> Azurite:
    return azurite.shared()


@pytest.fixture
def section(emulator: Azurite) -> dict[str, str]:
    """The section `storage.azure` of an empty store."""
    return emulator.section(f"/{uuid.uuid4()}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    sample(
        item
        for item in items
        if "/registry-wsgi-objectstore/tests/test_driver.py::TestObjectStoreDriverOnAzure" in item.nodeid
    )
