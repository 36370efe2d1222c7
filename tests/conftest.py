"""Fixtures that all tests share: registries as processes, and their logs beside a failure."""

from __future__ import annotations

import logging
import shutil
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from registry_wsgi import logs
from tests import packaging, servers, storages

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from pathlib import Path

_running: list[servers.Server] = []


class Serve(Protocol):
    """Start a registry; without a directory, on a new and empty one."""

    def __call__(
        self,
        directory: Path | None = None,
        *,
        kind: str = "granian",
        sections: Mapping[str, Any] | None = None,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        answers: Callable[[servers.Server], bool] | None = None,
    ) -> servers.Server: ...


@contextmanager
def _serving(factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Give a Serve whose registries end with the block."""
    with ExitStack() as stack:

        def serve(
            directory: Path | None = None,
            *,
            kind: str = "granian",
            sections: Mapping[str, Any] | None = None,
            arguments: Sequence[str] = (),
            environment: Mapping[str, str] | None = None,
            answers: Callable[[servers.Server], bool] | None = None,
        ) -> servers.Server:
            work = factory.mktemp(kind)
            # pytest keeps the directories of the last runs; what was pushed is too much to keep.
            stack.callback(shutil.rmtree, work / "data", ignore_errors=True)
            server = servers.start(
                kind,
                directory or work / "data",
                work,
                sections=sections,
                arguments=arguments,
                environment=environment,
                answers=answers,
            )
            _running.append(server)
            stack.callback(_end, server)
            return server

        yield serve


def _end(server: servers.Server) -> None:
    _running.remove(server)
    if server.process.poll() is None:
        server.stop()


@pytest.fixture(scope="session", autouse=True)
def store() -> None:
    """Have the chosen store there before any test turns the clock."""
    storages.start()


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    """Undo what a test that configures the registry's logging leaves behind."""
    loggers = [logging.getLogger(name) for name in ("registry_wsgi", logs.ACCESS_LOGGER)]
    states = [(each.level, each.propagate, each.disabled, each.handlers[:]) for each in loggers]
    yield
    for each, (level, propagate, disabled, handlers) in zip(loggers, states, strict=True):
        each.setLevel(level)
        each.propagate, each.disabled, each.handlers = propagate, disabled, handlers


@pytest.fixture
def free_port() -> int:
    return servers.free_port()


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start registries that end with the test: `serve(directory, kind="gunicorn", sections={…})`."""
    with _serving(tmp_path_factory) as serve:
        yield serve


@pytest.fixture(scope="session")
def serve_for_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start registries that tests share; they end with the last test."""
    with _serving(tmp_path_factory) as serve:
        yield serve


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The wheels of the core and of the plugins, by the names of their distributions."""
    return packaging.build_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def registry(request: pytest.FixtureRequest, serve_for_session: Serve) -> servers.Server:
    """One registry for all tests that need no other, with deletion on. Use own repositories."""
    return serve_for_session(kind=request.config.getoption("--registry"))


@pytest.fixture(scope="session")
def registry_without_deletion(serve_for_session: Serve) -> servers.Server:
    """A registry like `registry`, but with deletion off."""
    return serve_for_session(sections={"storage": {"delete": {"enabled": False}}})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the registries said beside a failure."""
    report = yield
    if report.failed:
        report.sections += [(f"log of {server.url}", server.log_tail()) for server in _running]
    return report
