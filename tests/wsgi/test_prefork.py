"""Servers that load the application once and fork: what is unique in one process has to be so in all of them."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.wire import Client, digest_of, with_query

if TYPE_CHECKING:
    from tests.conftest import Serve

FORK = """
import ctypes, os
from registry_wsgi.context import Context
from registry_wsgi.drivers.directories import hidden_sibling
def tell():
    os.write(1, f"{hidden_sibling('/a/b')} {Context().id}\\n".encode())
tell()
children = []
for _ in range(3):
    # As a server does that is written in C: Python's hooks for forks are not run.
    child = ctypes.PyDLL(None).fork()
    if child == 0:
        for _ in range(3):
            tell()
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
"""
WARNING = "uWSGI forks its workers without telling Python"


def test_names_and_ids_are_new_in_a_process_that_was_forked_untold() -> None:
    told = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True).stdout
    pairs = [line.split() for line in told.splitlines()]
    assert len(pairs) == 10
    for what in zip(*pairs, strict=True):
        assert len(set(what)) == len(pairs)


@pytest.mark.parametrize("option", ["", "--lazy-apps", "--py-call-osafterfork"])
def test_workers_of_uwsgi_take_pushes_at_once_and_the_log_says_what_they_lack(serve: Serve, option: str) -> None:
    server = serve(kind="uwsgi", arguments=["--workers", "4", *filter(None, [option])])

    def push(number: int) -> list[int]:
        client, statuses = Client(server.url), []
        for each in range(40):
            content = f"{number % 2} {each}".encode()  # of each two push the same
            location = client.request("POST", "/v2/a/blobs/uploads/").headers["Location"]
            path = with_query(location, digest=digest_of(content))
            statuses.append(client.request("PUT", path, body=content).status)
        return statuses

    with ThreadPoolExecutor(8) as pool:
        statuses = [status for each in pool.map(push, range(8)) for status in each]
    assert set(statuses) == {201}
    assert (WARNING in server.log.read_text()) == (not option)
