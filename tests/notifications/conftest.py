"""Endpoints that listen, and registries that send to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.notifications.receiver import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def sections(directory: Path, *endpoints: dict[str, Any], references: bool = False) -> dict[str, Any]:
    """Return the section `notifications` with an outbox in `directory`."""
    return {
        "notifications": {
            "events": {"includereferences": references},
            "endpoints": list(endpoints),
            "outbox": {"path": str(directory / "outbox")},
        }
    }


def endpoint(receiver: Receiver, name: str = "receiver", **keys: object) -> dict[str, Any]:
    return {"name": name, "url": receiver.url, "timeout": "30s", **keys}
