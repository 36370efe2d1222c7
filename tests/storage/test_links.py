"""Link files while another registry writes them in place: emptied first, and filled then."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.drivers.delegate import DelegatingDriver
from registry_wsgi.drivers.filesystem import FilesystemDriver
from registry_wsgi.drivers.inmemory import InMemoryDriver
from registry_wsgi.errors import RegistryError
from registry_wsgi.reference import Tag
from registry_wsgi.storage import paths
from registry_wsgi.storage.links import read_link
from registry_wsgi.storage.registry import Registry
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

CTX = Context()
DIGEST, OTHER = Digest.of(b"content"), Digest.of(b"other content")
LINK = paths.tag_current_link("a/b", Tag("v1"))


class Emptying(DelegatingDriver):
    """A driver whose files are empty for so many reads."""

    def __init__(self, reads: int) -> None:
        super().__init__(InMemoryDriver())
        self.reads = reads

    def get_content(self, ctx: Context, path: str) -> bytes:
        content = super().get_content(ctx, path)
        self.reads -= 1
        return b"" if self.reads >= 0 else content


@pytest.mark.parametrize("reads", range(5))
def test_a_link_that_is_empty_for_a_moment_is_read_again(reads: int) -> None:
    driver = Emptying(reads)
    driver.put_content(CTX, LINK, DIGEST.encode())
    assert read_link(driver, CTX, LINK) == DIGEST
    assert driver.reads == -1  # and no more often than it takes


def test_a_link_that_stays_empty_is_damage() -> None:
    driver = Emptying(1000)
    driver.put_content(CTX, LINK, DIGEST.encode())
    with pytest.raises(RegistryError, match="v1/current/link holds no digest"):
        read_link(driver, CTX, LINK)
    assert driver.reads == 1000 - 5


WRITE_IN_PLACE = """
import sys, time
path, *digests = sys.argv[1:]
while True:
    for digest in digests:
        with open(path, "wb", buffering=0) as link:
            link.write(digest.encode())
        time.sleep(0.02)
"""


def test_a_tag_that_is_written_in_place_is_one_or_the_other(tmp_path: Path) -> None:
    tags = Registry(FilesystemDriver(rootdirectory=tmp_path)).repository("a/b").tags
    tags.put(CTX, Tag("v1"), DIGEST)
    writer = subprocess.Popen([sys.executable, "-c", WRITE_IN_PLACE, f"{tmp_path}{LINK}", DIGEST, OTHER])
    try:
        until(lambda: tags.get(CTX, Tag("v1")) == OTHER, "the link is written")
        found, ends = set(), time.monotonic() + 1.5
        while time.monotonic() < ends:
            found.add(tags.get(CTX, Tag("v1")))
    finally:
        writer.kill()
        writer.wait()
    assert found == {DIGEST, OTHER}
