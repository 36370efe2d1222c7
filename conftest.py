"""Options of all tests, of the core and of the plugins: what they run against, and over which storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis

from tests import servers, storages

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Tests that use `registry` can be run against docker-registry, to see which of the two a failure is about."""
    parser.addoption("--registry", choices=sorted(servers.KINDS), default="granian")
    parser.addoption("--storage-driver", choices=storages.NAMES, default="default")


def pytest_configure(config: pytest.Config) -> None:
    # How long an example takes says more of what else the machine does.
    hypothesis.settings.register_profile(
        "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("unhurried")
    storages.choose(config.getoption("--storage-driver"))
