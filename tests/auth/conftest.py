"""Files that tests change count at once, for they are looked at each time."""

from __future__ import annotations

import pytest

from registry_wsgi.auth import watched


@pytest.fixture(autouse=True)
def files_are_looked_at_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "LOOK_SECONDS", 0.0)
