"""Fixtures with registries for the tests of a client: `pytest_plugins = ["registry_wsgi.testing.pytest_plugin"]`.

| fixture | |
|---|---|
| `registry` | a registry for one test; `@pytest.mark.registry(tls=True)` gives it options |
| `registry_factory` | `registry_factory(**options)`: as many for one test as it likes |
| `registry_session`, `registry_session_factory` | the same, for all tests together |

Options are those of `ServedRegistry`. Beside a failure stands what the registries were asked.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from registry_wsgi.testing.served import ServedRegistry

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["RegistryFactory", "ServedRegistry"]

_LINES = 100


class RegistryFactory(Protocol):
    def __call__(self, **options: Any) -> ServedRegistry: ...


@contextmanager
def _factory() -> Iterator[RegistryFactory]:
    """Give a factory whose registries end with the block."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(ServedRegistry(**options))


@pytest.fixture
def registry_factory() -> Iterator[RegistryFactory]:
    with _factory() as factory:
        yield factory


@pytest.fixture
def registry(request: pytest.FixtureRequest, registry_factory: RegistryFactory) -> ServedRegistry:
    marker = request.node.get_closest_marker("registry")
    return registry_factory(**(marker.kwargs if marker else {}))


@pytest.fixture(scope="session")
def registry_session_factory() -> Iterator[RegistryFactory]:
    with _factory() as factory:
        yield factory


@pytest.fixture(scope="session")
def registry_session(registry_session_factory: RegistryFactory) -> ServedRegistry:
    return registry_session_factory()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "registry(**options): what the fixture `registry` is to be, such as tls=True")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show beside a failure what the registries of the test were asked."""
    report = yield
    if report.failed:
        given = getattr(item, "funcargs", {}).values()
        for served in (each for each in given if isinstance(each, ServedRegistry)):
            lines = [f"{each.status} {each.method} {each.path}" for each in served.requests[-_LINES:]]
            report.sections.append((f"requests to {served.url}", "\n".join(lines) or "none"))
    return report
