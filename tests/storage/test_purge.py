"""Uploads that nobody will finish are deleted, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import maintenance
from registry_wsgi.config import UploadPurging
from registry_wsgi.context import Context
from registry_wsgi.drivers.filesystem import FilesystemDriver
from registry_wsgi.errors import BlobUploadUnknown, DriverError
from registry_wsgi.storage import paths
from registry_wsgi.storage.purge import purge_in_turn, purge_uploads
from registry_wsgi.storage.registry import Registry
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

CTX = Context()
DAY = 24 * 3600.0


@pytest.fixture
def driver(tmp_path: Path) -> FilesystemDriver:
    return FilesystemDriver(rootdirectory=tmp_path)


def start_upload(driver: FilesystemDriver, name: str = "a/b", age: float = 0) -> str:
    upload_id = Registry(driver).repository(name).blobs.create(CTX).id
    written = time.time() - age
    for file in ("data", "startedat"):
        os.utime(f"{driver.rootdirectory}{paths.upload(name, upload_id)}/{file}", (written, written))
    return upload_id


def test_only_stale_uploads_are_deleted(driver: FilesystemDriver) -> None:
    stale, fresh = start_upload(driver, age=8 * DAY), start_upload(driver, age=6 * DAY)
    deep = start_upload(driver, "a/b/c", age=8 * DAY)
    purged = purge_uploads(CTX, driver, age=7 * DAY)
    assert set(purged.deleted) == {paths.upload("a/b", stale), paths.upload("a/b/c", deep)}
    blobs = Registry(driver).repository("a/b").blobs
    assert blobs.upload_size(CTX, fresh) == 0
    with pytest.raises(BlobUploadUnknown):
        blobs.upload_size(CTX, stale)


def test_a_dry_run_reports_the_same_and_deletes_nothing(driver: FilesystemDriver) -> None:
    stale = start_upload(driver, age=8 * DAY)
    assert purge_uploads(CTX, driver, age=7 * DAY, dry_run=True).deleted == [paths.upload("a/b", stale)]
    assert Registry(driver).repository("a/b").blobs.upload_size(CTX, stale) == 0


def test_an_upload_that_is_being_written_is_left_alone(driver: FilesystemDriver) -> None:
    stale = start_upload(driver, age=8 * DAY)
    held = FilesystemDriver(rootdirectory=driver.rootdirectory).writer(
        CTX, paths.upload_data("a/b", stale), append=True
    )
    assert purge_uploads(CTX, driver, age=7 * DAY).deleted == []
    held.close()
    assert len(purge_uploads(CTX, driver, age=7 * DAY).deleted) == 1


def test_an_upload_without_a_start_or_data_is_judged_by_its_age(driver: FilesystemDriver) -> None:
    left = f"{paths.REPOSITORIES}/a/_uploads/left"
    driver.put_content(CTX, f"{left}/hashstates/sha256/0", b"")
    assert purge_uploads(CTX, driver, age=DAY).deleted == []
    assert purge_uploads(CTX, driver, age=-1).deleted == [left]


def test_what_a_clock_has_dated_ahead_waits_for_no_day_to_come(driver: FilesystemDriver) -> None:
    ahead, just_ahead = start_upload(driver, age=-3000 * DAY), start_upload(driver, age=-DAY)
    purge_in_turn(CTX, driver, age=7 * DAY, interval=DAY, dry_run=True)
    os.utime(driver.rootdirectory + paths.PURGE_DONE, (time.time() + 3000 * DAY,) * 2)
    purged = purge_in_turn(CTX, driver, age=7 * DAY, interval=DAY, dry_run=False)
    assert purged is not None
    assert purged.deleted == [paths.upload("a/b", ahead)]
    assert Registry(driver).repository("a/b").blobs.upload_size(CTX, just_ahead) == 0


def test_an_empty_store_has_nothing_to_purge(driver: FilesystemDriver) -> None:
    assert purge_uploads(CTX, driver, age=DAY).deleted == []


def test_one_failure_does_not_stop_the_others(driver: FilesystemDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = [start_upload(driver, age=8 * DAY) for _ in range(2)]
    delete = FilesystemDriver.delete

    def failing(self: FilesystemDriver, ctx: Context, path: str) -> None:
        if path.endswith(uploads[0]):
            raise DriverError("filesystem", "the disk is on fire")
        delete(self, ctx, path)

    monkeypatch.setattr(FilesystemDriver, "delete", failing)
    purged = purge_uploads(CTX, driver, age=7 * DAY)
    assert purged.deleted == [paths.upload("a/b", uploads[1])]
    assert purged.errors == ["filesystem: the disk is on fire"]


def test_one_process_purges_at_a_time_and_once_in_an_interval(driver: FilesystemDriver) -> None:
    turn = driver.writer(CTX, paths.PURGE_TURN)
    assert purge_in_turn(CTX, driver, age=DAY, interval=DAY, dry_run=False) is None
    turn.close()
    assert purge_in_turn(CTX, driver, age=DAY, interval=DAY, dry_run=False) is not None
    assert purge_in_turn(CTX, driver, age=DAY, interval=DAY, dry_run=False) is None
    assert purge_in_turn(CTX, driver, age=DAY, interval=-1, dry_run=False) is not None


def test_maintenance_purges_at_every_interval(driver: FilesystemDriver) -> None:
    purging = UploadPurging(enabled=True, age=0.0, interval=0.01, dryrun=False)
    start_upload(driver, age=DAY)
    ended = maintenance.start(CTX, driver, purging)
    thread = next(thread for thread in threading.enumerate() if thread.name == "purge")
    try:
        until(lambda: driver.list(CTX, f"{paths.repository('a/b')}/_uploads") == [])
    finally:
        ended.set()
        thread.join()


def test_the_command_purges_and_prints_what_it_deleted(driver: FilesystemDriver, tmp_path: Path) -> None:
    stale = start_upload(driver, age=8 * DAY)
    config = tmp_path / "config.yml"
    config.write_text(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}}}}}\n")
    command = [sys.executable, "-m", "registry_wsgi", "purge-uploads", str(config)]
    for arguments in (["--dry-run"], []):
        found = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
        assert found.stdout.splitlines() == [paths.upload("a/b", stale)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == ""
