"""Registries on every WSGI server, one of each for all tests of this directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.wire import Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Serve
    from tests.servers import Server


@pytest.fixture(scope="session")
def running(serve_for_session: Serve) -> Callable[[str], Server]:
    """Return the registry on a kind of server, started when it is first asked for."""
    started: dict[str, Server] = {}

    def get(kind: str) -> Server:
        if kind not in started:
            started[kind] = serve_for_session(kind=kind)
        return started[kind]

    return get


@pytest.fixture
def client(kind: str, running: Callable[[str], Server]) -> Client:
    """Return a client of the registry on the `kind` of server that the test has as a parameter."""
    return Client(running(kind).url)
