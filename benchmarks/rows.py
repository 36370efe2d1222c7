"""The rows of the table: what is asked of a rival, and in which unit the answer counts."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import client, load
from .content import MEGABYTE, TAG, Blob, Image, blob_path, manifest_path
from .processes import PeakMemory, cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from .rivals import Rival

UPLOAD_SIZE = 500 * MEGABYTE
WARM_UP_SIZE = 50 * MEGABYTE
SETTLE_SECONDS = 0.5

_seeds = itertools.count(1000)


@dataclass(frozen=True)
class Sample:
    """One run: its figure, and the share of its core that the server was busy meanwhile (1.0 is all of it)."""

    value: float
    busy: float


@dataclass(frozen=True)
class Row:
    """One line of the table. `measure` and `warm_up` take the rival, the image and the seconds of a run."""

    name: str
    title: str
    unit: str
    measure: Callable[[Rival, Image, float], Sample]
    warm_up: Callable[[Rival, Image, float], object]
    less_is_better: bool = False


def observed(rival: Rival, run: Callable[[], float]) -> Sample:
    """Run once while watching how busy the server is."""
    cpu, begun = cpu_seconds(rival.pid), time.monotonic()
    value = run()
    elapsed = time.monotonic() - begun
    return Sample(value, (cpu_seconds(rival.pid) - cpu) / elapsed)


def requests(name: str, title: str, run: Callable[[str, float], float], path: Callable[[Image], str]) -> Row:
    """Return a row of small requests, driven by wrk or ab."""

    def measure(rival: Rival, image: Image, seconds: float) -> Sample:
        return observed(rival, lambda: run(rival.url + path(image), seconds))

    return Row(name, title, "requests/s", measure, lambda rival, image, _: measure(rival, image, 1))


def download(rival: Rival, image: Image, seconds: float) -> Sample:
    """Return MB/s of the large blob."""
    sample = observed(rival, lambda: client.download(rival.url, image.large, load.CONNECTIONS, seconds) / MEGABYTE)
    time.sleep(SETTLE_SECONDS)  # the server still has to notice that its clients left
    return sample


def upload(rival: Rival, size: int = UPLOAD_SIZE) -> Sample:
    """Return MB/s of a blob sent as one chunked PATCH and closed with PUT, then take it off the disk."""
    blob = Blob(next(_seeds), size)
    _ = blob.digest  # made before the clock runs, as is the upload itself
    os.sync()  # what others have not written yet is not this one's cost
    with client.connect(rival.url) as connection:
        location = client.begin_upload(connection)
        begun = time.monotonic()
        cpu = cpu_seconds(rival.pid)
        client.send_upload(connection, location, blob)
        elapsed = time.monotonic() - begun
        sample = Sample(size / elapsed / MEGABYTE, (cpu_seconds(rival.pid) - cpu) / elapsed)
    remove(rival, blob)
    return sample


def remove(rival: Rival, blob: Blob) -> None:
    """Delete the blob's file, which nobody asks for again: a run would fill small disks otherwise."""
    hexadecimal = blob.digest.removeprefix("sha256:")
    shutil.rmtree(rival.root / "docker/registry/v2/blobs/sha256" / hexadecimal[:2] / hexadecimal)


def memory(rival: Rival, image: Image, seconds: float) -> Sample:
    """Return MB by which a server just started grows over one upload and then concurrent downloads."""
    rival.restart()  # it is asked for /v2/ alone before it counts as idle
    time.sleep(SETTLE_SECONDS)
    with PeakMemory(rival.pid) as peak:
        upload(rival)
        load_sample = download(rival, image, seconds)
    return Sample(peak.growth / MEGABYTE, load_sample.busy)


def warm_up_upload(rival: Rival, _image: Image, _seconds: float) -> None:
    """Send a smaller blob, which readies the same paths."""
    upload(rival, WARM_UP_SIZE)


def keep_cold(_rival: Rival, _image: Image, _seconds: float) -> None:
    """Do nothing: the row starts its servers anew."""


ROWS = (
    requests("manifest-by-tag", "GET manifest by tag", load.get, lambda _: manifest_path(TAG)),
    requests("manifest-by-digest", "GET manifest by digest", load.get, lambda it: manifest_path(it.manifest_digest)),
    requests("head-blob", "HEAD blob", load.head, lambda it: blob_path(it.small)),
    requests("small-blob", "GET blob 100 KB", load.get, lambda it: blob_path(it.small)),
    Row("large-blob", "GET blob 200 MB", "MB/s", download, lambda rival, image, _: download(rival, image, 1)),
    Row("upload", "upload 500 MB, PATCH + PUT", "MB/s", lambda rival, *_: upload(rival), warm_up_upload),
    Row("memory", "peak memory over idle", "MB", memory, keep_cold, less_is_better=True),
)
