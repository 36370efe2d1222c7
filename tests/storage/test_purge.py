"""Uploads that nobody will finish are deleted, and no others."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import maintenance
from registry_wsgi.config import UploadPurging
from registry_wsgi.context import Context
from registry_wsgi.drivers.delegate import DelegatingDriver
from registry_wsgi.errors import BlobUploadUnknown, DriverError
from registry_wsgi.storage import paths
from registry_wsgi.storage.purge import purge_in_turn, purge_uploads
from registry_wsgi.storage.registry import Registry
from tests import storages
from tests.dated import Clock, DatedDriver
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from registry_wsgi.interfaces import StorageDriver

CTX = Context()
DAY = 24 * 3600.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def driver(clock: Clock, tmp_path: Path) -> StorageDriver:
    return DatedDriver(storages.driver_at(tmp_path))


def start_upload(driver: StorageDriver, name: str = "a/b") -> str:
    return Registry(driver).repository(name).blobs.create(CTX).id


@pytest.fixture
def stale(driver: StorageDriver, clock: Clock) -> str:
    """An upload that was begun eight days ago."""
    upload_id = start_upload(driver)
    clock.pass_(8 * DAY)
    return upload_id


def test_only_stale_uploads_are_deleted(driver: StorageDriver, clock: Clock) -> None:
    stale, deep = start_upload(driver), start_upload(driver, "a/b/c")
    clock.pass_(2 * DAY)
    fresh = start_upload(driver)
    clock.pass_(6 * DAY)
    purged = purge_uploads(CTX, driver, age=7 * DAY)
    assert set(purged.deleted) == {paths.upload("a/b", stale), paths.upload("a/b/c", deep)}
    blobs = Registry(driver).repository("a/b").blobs
    assert blobs.upload_size(CTX, fresh) == 0
    with pytest.raises(BlobUploadUnknown):
        blobs.upload_size(CTX, stale)


def test_a_dry_run_reports_the_same_and_deletes_nothing(driver: StorageDriver, stale: str) -> None:
    assert purge_uploads(CTX, driver, age=7 * DAY, dry_run=True).deleted == [paths.upload("a/b", stale)]
    assert Registry(driver).repository("a/b").blobs.upload_size(CTX, stale) == 0


def test_an_upload_that_is_being_written_is_left_alone(driver: StorageDriver, stale: str, tmp_path: Path) -> None:
    held = storages.driver_at(tmp_path).writer(CTX, paths.upload_data("a/b", stale), append=True)
    assert purge_uploads(CTX, driver, age=7 * DAY).deleted == []
    held.close()
    assert len(purge_uploads(CTX, driver, age=7 * DAY).deleted) == 1


@pytest.fixture
def left(driver: StorageDriver) -> str:
    """What registry:2 may leave of an upload, with neither a start nor data."""
    left = f"{paths.REPOSITORIES}/a/_uploads/left"
    driver.put_content(CTX, f"{left}/hashstates/sha256/0", b"")
    return left


@storages.files_only("a directory in an object store has no time")
def test_what_is_left_of_an_upload_is_judged_by_the_time_of_its_directory(driver: StorageDriver, left: str) -> None:
    assert purge_uploads(CTX, driver, age=DAY).deleted == []
    assert left in driver.list(CTX, f"{paths.REPOSITORIES}/a/_uploads")


def test_what_is_left_of_an_upload_goes_in_the_end(driver: StorageDriver, left: str) -> None:
    assert purge_uploads(CTX, driver, age=-1).deleted == [left]


def test_what_a_clock_has_dated_ahead_waits_for_no_day_to_come(driver: StorageDriver, clock: Clock) -> None:
    clock.pass_(DAY)
    just_ahead = start_upload(driver)
    clock.pass_(2999 * DAY)
    ahead = start_upload(driver)
    purge_in_turn(CTX, driver, age=7 * DAY, interval=DAY, dry_run=True)
    clock.pass_(-3000 * DAY)
    purged = purge_in_turn(CTX, driver, age=7 * DAY, interval=DAY, dry_run=False)
    assert purged is not None
    assert purged.deleted == [paths.upload("a/b", ahead)]
    assert Registry(driver).repository("a/b").blobs.upload_size(CTX, just_ahead) == 0


def test_an_empty_store_has_nothing_to_purge(driver: StorageDriver) -> None:
    assert purge_uploads(CTX, driver, age=DAY).deleted == []


def test_one_failure_does_not_stop_the_others(driver: StorageDriver, clock: Clock) -> None:
    uploads = [start_upload(driver) for _ in range(2)]
    clock.pass_(8 * DAY)

    class Failing(DelegatingDriver):
        def delete(self, ctx: Context, path: str) -> None:
            if path.endswith(uploads[0]):
                raise DriverError(self.name, "the disk is on fire")
            super().delete(ctx, path)

    purged = purge_uploads(CTX, Failing(driver), age=7 * DAY)
    assert purged.deleted == [paths.upload("a/b", uploads[1])]
    assert purged.errors == [f"{driver.name}: the disk is on fire"]


def test_one_process_purges_at_a_time_and_once_in_an_interval(driver: StorageDriver) -> None:
    turn = driver.writer(CTX, paths.PURGE_TURN)
    assert purge_in_turn(CTX, driver, age=DAY, interval=DAY, dry_run=False) is None
    turn.close()
    assert purge_in_turn(CTX, driver, age=DAY, interval=DAY, dry_run=False) is not None
    assert purge_in_turn(CTX, driver, age=DAY, interval=DAY, dry_run=False) is None
    assert purge_in_turn(CTX, driver, age=DAY, interval=-1, dry_run=False) is not None


def test_maintenance_purges_at_every_interval(tmp_path: Path) -> None:
    driver = storages.driver_at(tmp_path)
    purging = UploadPurging(enabled=True, age=0.0, interval=0.01, dryrun=False)
    start_upload(driver)
    ended = maintenance.start(CTX, driver, purging)
    thread = next(thread for thread in threading.enumerate() if thread.name == "purge")
    try:
        until(lambda: not storages.children(driver, f"{paths.repository('a/b')}/_uploads"))
    finally:
        ended.set()
        thread.join()


def test_the_command_purges_and_prints_what_it_deleted(tmp_path: Path) -> None:
    stale = start_upload(storages.driver_at(tmp_path))
    at_once = {"maintenance": {"uploadpurging": {"age": "0s"}}}
    config = tmp_path / "config.yml"
    config.write_text(json.dumps({"version": 0.1, "storage": {**storages.section(tmp_path), **at_once}}))
    command = [sys.executable, "-m", "registry_wsgi", "purge-uploads", str(config)]
    for arguments in (["--dry-run"], []):
        found = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
        assert found.stdout.splitlines() == [paths.upload("a/b", stale)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == ""
