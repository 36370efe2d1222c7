"""What `serve` asks of the allocators reaches them, and what an operator asks of them stands."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

ARENAS = """
import ctypes, threading
from registry_wsgi import server
server.spare_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
together = threading.Barrier(8)
def allocate():
    together.wait()
    libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
for each in threads: each.start()
for each in threads: each.join()
output = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, output)
libc.fflush(output)
"""

GRANIAN = """
import os
from registry_wsgi import server
server.spare_memory()
os.environ["_RJEM_MALLOC_CONF"] += ",confirm_conf:true"
import granian
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="arenas are glibc's")
def test_threads_allocate_from_one_arena_unless_the_environment_says_how_many() -> None:
    assert run(ARENAS).stdout.count("<heap nr=") == 1
    assert 1 < run(ARENAS, MALLOC_ARENA_MAX="3").stdout.count("<heap nr=") <= 3


def test_granian_keeps_no_stock_for_each_thread_unless_the_environment_says_what() -> None:
    assert "Set conf value: tcache:false\n" in run(GRANIAN).stderr
    told = run(GRANIAN, _RJEM_MALLOC_CONF="narenas:2").stderr
    assert "Set conf value: narenas:2\n" in told
    assert "tcache" not in told


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if "MALLOC" not in name} | environment
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env)
