"""The API in this process: a client of a registry in memory, with deletion on."""

from __future__ import annotations

import pytest

from tests.api.inprocess import InProcess, in_memory_stack


@pytest.fixture
def client() -> InProcess:
    return InProcess(in_memory_stack())
