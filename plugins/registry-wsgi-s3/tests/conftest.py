"""A store that speaks S3, on loopback."""

from __future__ import annotations

import pytest

from tests import seaweed as store


@pytest.fixture(scope="session")
def seaweed() -> store.SeaweedFS:
    return store.shared()
