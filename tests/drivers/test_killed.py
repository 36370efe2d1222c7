"""The filesystem driver of a process that is killed at any moment: nothing is seen in part, no lock stays."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import pytest

from registry_wsgi.context import Context
from registry_wsgi.drivers.filesystem import FilesystemDriver
from registry_wsgi.errors import PathBusy

CTX = Context()

# Each content begins with the digest of the rest. A line on the output says that a path is written and durable.
WRITING = """
import hashlib, random, sys
from registry_wsgi.context import Context
from registry_wsgi.drivers.filesystem import FilesystemDriver
driver, ctx, chance = FilesystemDriver(rootdirectory=sys.argv[1]), Context(), random.Random(int(sys.argv[2]))

def content():
    rest = chance.randbytes(chance.choice([0, 100, 200_000]))
    return hashlib.sha256(rest).digest() + rest

def put(number):
    path = f"/put/{number % 7}/file"
    driver.put_content(ctx, path, content())
    return path

def upload(number):
    path, whole = f"/uploads/{number}/data", content()
    with_rest = driver.writer(ctx, path)
    with_rest.write(whole[:20])
    with_rest.flush()
    with_rest.close()
    writer = driver.writer(ctx, path, append=True)
    for start in range(20, len(whole), 10_000):
        writer.write(whole[start : start + 10_000])
    writer.commit()
    driver.move(ctx, path, f"/blobs/{number % 7}/data")
    writer.close()
    driver.delete(ctx, f"/uploads/{number}")
    return f"/blobs/{number % 7}/data"

print("ready", flush=True)
for number in range(1_000_000):
    print(put(number), upload(number), sep="\\n", flush=True)
"""

HOLDING = """
import sys, time
from registry_wsgi.context import Context
from registry_wsgi.drivers.filesystem import FilesystemDriver
writer = FilesystemDriver(rootdirectory=sys.argv[1]).writer(Context(), "/upload/data")
writer.write(b"written before ")
print("ready", flush=True)
time.sleep(600)
"""


@contextmanager
def started(script, *arguments):
    """Run the script in a process of its own until it says that it is ready; kill it at the end."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def files(driver, path):
    for child in driver.list(CTX, path):
        if driver.stat(CTX, child).is_directory:
            yield from files(driver, child)
        else:
            yield child


def kill_and_look(root, rounds, seed):
    driver, chance = FilesystemDriver(rootdirectory=root), random.Random(seed)
    said = set()
    for number in range(rounds):
        with started(WRITING, root, seed * 1000 + number) as process:
            time.sleep(chance.uniform(0, 0.15))
            process.kill()
            said |= set(process.stdout.read().split("\n")[:-1])
        published = {path for path in files(driver, "/") if not path.startswith("/uploads/")}
        assert said <= published
        for path in published:
            content = driver.get_content(CTX, path)
            assert content[:32] == hashlib.sha256(content[32:]).digest(), path
        for path in files(driver, "/"):
            driver.writer(CTX, path, append=True).close()  # Held by nobody.
    assert said


def test_what_a_killed_process_wrote_is_seen_whole_or_not_at_all(tmp_path):
    kill_and_look(tmp_path, rounds=6, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(2, 6))
def test_what_many_killed_processes_wrote_is_seen_whole_or_not_at_all(tmp_path, seed):
    kill_and_look(tmp_path, rounds=100, seed=seed)


def test_a_process_holds_its_upload_until_it_is_killed_and_another_goes_on(tmp_path):
    driver = FilesystemDriver(rootdirectory=tmp_path)
    with started(HOLDING, tmp_path):
        for append in (True, False):
            with pytest.raises(PathBusy):
                driver.writer(CTX, "/upload/data", append=append)
    with closing(driver.writer(CTX, "/upload/data", append=True)) as writer:
        assert writer.size == len(b"written before ")
        writer.write(b"and after")
        writer.commit()
    assert driver.get_content(CTX, "/upload/data") == b"written before and after"
