"""What is asked of a server, and in which unit the answer counts. Each measure is one run of a row."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import client, load, uploads
from .content import MEGABYTE, TAG, Blob, Image, manifest_path
from .errors import BenchmarkError
from .processes import PeakMemory, cpu_seconds, resident
from .servers import Server
from .wire import answer, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .servers import Peer
    from .uploads import Send

GIGABYTE = 10**9
UPLOAD_SIZE = 300 * MEGABYTE
SETTLE_SECONDS = 0.5

MANY, SMALL_UPLOADS = 64, 256
PUSHES, PUSH_SIZE = 16, 500 * MEGABYTE

_seeds = itertools.count(1000)


@dataclass(frozen=True)
class Run:
    """One turn of a server at a row, of so many seconds where the row has no length of its own."""

    target: Server | Peer
    image: Image
    seconds: float


@dataclass(frozen=True)
class Sample:
    """What a run gave: its figure; the share of its core that the server was busy; what else is to be said."""

    value: float
    busy: float | None = None
    note: str = ""


class Watch:
    """The seconds of the `with` block, and the processor time that a server used meanwhile."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self.seconds = self.cpu = 0.0

    def __enter__(self) -> Watch:
        self._cpu = cpu_seconds(self._pid) if self._pid else 0.0
        self._begun = time.monotonic()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.seconds = time.monotonic() - self._begun
        self.cpu = cpu_seconds(self._pid) - self._cpu if self._pid else 0.0

    @property
    def busy(self) -> float | None:
        """The share of a core, 1.0 is all of it; None of a server whose process is not ours."""
        return self.cpu / self.seconds if self._pid else None


def get(path: Callable[[Image], str]) -> Callable[[Run], Sample]:
    """Return the measure of GET requests a second."""
    return _requests(lambda run: load.get(run.target, path(run.image), run.seconds))


def head(path: Callable[[Image], str], *, missing: bool = False) -> Callable[[Run], Sample]:
    """Return the measure of HEAD requests a second."""
    return _requests(lambda run: load.head(run.target, path(run.image), run.seconds, missing=missing))


def _requests(ask: Callable[[Run], float]) -> Callable[[Run], Sample]:
    def measure(run: Run) -> Sample:
        with Watch(run.target.pid) as watch:
            value = ask(run)
        return Sample(value, watch.busy)

    return measure


def page(path: str) -> Callable[[Run], Sample]:
    """Return the measure of the milliseconds that a page takes, once the directory has been read."""

    def measure(run: Run) -> Sample:
        with connect(run.target) as connection:
            connection.request("GET", path)
            answer(connection, 200).read()
        with Watch(run.target.pid) as watch:
            rate = load.get(run.target, path, run.seconds)
        return Sample(1000 / rate, watch.busy)

    return measure


def download(run: Run) -> Sample:
    """Measure MB/s of the large blob."""
    return _download(run, lambda size, watch: size / watch.seconds / MEGABYTE)


def download_cost(run: Run) -> Sample:
    """Measure the processor seconds for each GB of the large blob."""
    return _download(run, lambda size, watch: watch.cpu / size * GIGABYTE)


def _download(run: Run, figure: Callable[[int, Watch], float]) -> Sample:
    with Watch(run.target.pid) as watch:
        size, _ = client.download(run.target.url, run.image.large, load.CONNECTIONS, run.seconds)
    time.sleep(SETTLE_SECONDS)  # the server still has to notice that its clients left
    return Sample(figure(size, watch), watch.busy)


def upload(send: Send) -> Callable[[Run], Sample]:
    """Return the measure of MB/s of a blob, from the opening of the upload to its 201."""
    return _upload(send, lambda watch: UPLOAD_SIZE / watch.seconds / MEGABYTE)


def upload_cost(send: Send) -> Callable[[Run], Sample]:
    """Return the measure of the processor seconds for each GB of an upload."""
    return _upload(send, lambda watch: watch.cpu / UPLOAD_SIZE * GIGABYTE)


def _upload(send: Send, figure: Callable[[Watch], float]) -> Callable[[Run], Sample]:
    def measure(run: Run) -> Sample:
        with _blobs(run, 1, UPLOAD_SIZE) as blobs, Watch(run.target.pid) as watch:
            uploads.together(run.target, blobs, 1, send)
        return Sample(figure(watch), watch.busy)

    return measure


def copy_cost(run: Run) -> Sample:
    """Measure the processor seconds for each GB that `sha256sum` and `cp` take of a file; the server has no part."""
    if not isinstance(run.target, Server):
        raise BenchmarkError("a directory is needed")
    with tempfile.TemporaryDirectory(dir=run.target.root) as directory:
        source = Path(directory, "source")
        with source.open("wb") as file:
            file.writelines(Blob(next(_seeds), UPLOAD_SIZE).pieces())
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(["sha256sum", source], stdout=subprocess.DEVNULL, check=True)
        subprocess.run(["cp", source, Path(directory, "copy")], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Sample(used / UPLOAD_SIZE * GIGABYTE)


def many_uploads(run: Run) -> Sample:
    """Measure MB/s of blobs of 1 MB, 64 at a time."""
    with _blobs(run, SMALL_UPLOADS, MEGABYTE) as blobs, Watch(run.target.pid) as watch:
        uploads.together(run.target, blobs, MANY, uploads.patch_and_put)
    return Sample(SMALL_UPLOADS / watch.seconds, watch.busy)


def memory(run: Run) -> Sample:
    """Measure MB by which a server just started grows over 16 pushes of 500 MB at once."""
    if not isinstance(run.target, Server):
        raise BenchmarkError("memory is measured of servers that are started here")
    run.target.restart()  # it is asked for /v2/ alone before it counts as idle
    time.sleep(SETTLE_SECONDS)
    pid = run.target.pid or 0
    with _blobs(run, PUSHES, PUSH_SIZE) as blobs, PeakMemory(pid) as peak:
        uploads.together(run.target, blobs, PUSHES, uploads.patch_and_put)
    return Sample(peak.growth / MEGABYTE, note=f"{peak.idle / MEGABYTE:.0f} MB idle, {len(resident(pid))} processes")


def start(run: Run) -> Sample:
    """Measure the seconds from the start of the process to the first answer."""
    if not isinstance(run.target, Server):
        raise BenchmarkError("the start is measured of servers that are started here")
    return Sample(run.target.restart())


def beside_slow_uploads(run: Run) -> Sample:
    """Measure the milliseconds in which 99 of 100 pulls are answered while 64 uploads come in at 1 KB/s."""
    with uploads.slow(run.target, MANY):
        time.sleep(2 * uploads.SLOW_SECONDS)
        return Sample(load.slowest(run.target, manifest_path(TAG), run.seconds))


@contextmanager
def _blobs(run: Run, number: int, size: int) -> Iterator[Sequence[Blob]]:
    """Make new blobs before the clock runs, and take them off the disk afterwards."""
    blobs = [Blob(next(_seeds), size) for _ in range(number)]
    for blob in blobs:
        _ = blob.digest
    os.sync()  # what others have not written yet is not this one's cost
    yield blobs
    if isinstance(run.target, Server):
        for blob in blobs:  # nobody asks for them again, and a run would fill small disks otherwise
            hexadecimal = blob.digest.removeprefix("sha256:")
            shutil.rmtree(run.target.root / "docker/registry/v2/blobs/sha256" / hexadecimal[:2] / hexadecimal)
