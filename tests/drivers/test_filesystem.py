"""The filesystem driver: the suite, and what only a file system has."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import stat
import subprocess
import sys
from contextlib import closing
from functools import partial

import pytest

from registry_wsgi.context import Context
from registry_wsgi.drivers import directories, writeback
from registry_wsgi.drivers.filesystem import FilesystemDriver
from registry_wsgi.errors import ConfigurationError, DriverError, InvalidPath, PathNotFound
from registry_wsgi.testing.drivers import StorageDriverSuite

CTX = Context()
MIB = 1024 * 1024


class TestFilesystemDriver(StorageDriverSuite):
    modified_resolution = 0.02

    @pytest.fixture
    def driver(self, tmp_path):
        return FilesystemDriver(rootdirectory=tmp_path / "new" / "root")

    @pytest.fixture
    def other_driver(self, driver):
        return FilesystemDriver(rootdirectory=driver.rootdirectory)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def driver(root):
    return FilesystemDriver(rootdirectory=root)


def all_names(root):
    return {name for _, directories, files in os.walk(root) for name in [*directories, *files]}


# ── configuration ──


@pytest.mark.parametrize("value", ["", "a\0b", 5, None, ["/tmp"], b"/tmp"])
def test_a_root_directory_that_is_no_path_is_refused(value):
    with pytest.raises(ConfigurationError, match="rootdirectory must be the path of a directory"):
        FilesystemDriver(rootdirectory=value)


def test_a_root_directory_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"rootdirectory .*file is none"):
        FilesystemDriver(rootdirectory=tmp_path / "file")


@pytest.mark.parametrize("value", ["many", "", "-1", 2.5, True, None, [100], "\N{ARABIC-INDIC DIGIT THREE}"])
def test_a_thread_limit_that_is_no_number_is_refused(value):
    with pytest.raises(ConfigurationError, match="maxthreads must be a whole number"):
        FilesystemDriver(maxthreads=value)


@pytest.mark.parametrize(("value", "taken"), [(100, 100), ("100", 100), (25, 25), (24, 25), (0, 25), (-3, 25)])
def test_a_thread_limit_below_25_is_raised_to_25(value, taken):
    assert FilesystemDriver(maxthreads=value).maxthreads == taken


def test_the_defaults_are_those_of_the_original():
    driver = FilesystemDriver()
    assert (driver.rootdirectory, driver.maxthreads) == ("/var/lib/registry", 100)


def test_a_relative_root_is_resolved_when_the_driver_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    driver = FilesystemDriver(rootdirectory="relative/")
    monkeypatch.chdir("/")
    driver.put_content(CTX, "/a", b"content")
    assert (tmp_path / "relative" / "a").read_bytes() == b"content"


# ── what is on the disk ──


def test_a_path_is_one_file_below_the_root(driver, root):
    driver.put_content(CTX, "/a/b", b"content")
    assert (root / "a" / "b").read_bytes() == b"content"
    (root / "a" / "c").write_bytes(b"of another program")
    assert driver.get_content(CTX, "/a/c") == b"of another program"


def test_modes_are_all_that_the_umask_leaves(driver, root):
    before = os.umask(0o027)
    try:
        driver.put_content(CTX, "/put/file", b"content")
        driver.writer(CTX, "/written/file").close()
    finally:
        os.umask(before)
    for name in ("put", "written"):
        assert stat.S_IMODE((root / name).stat().st_mode) == 0o750
        assert stat.S_IMODE((root / name / "file").stat().st_mode) == 0o640


def test_names_outside_the_grammar_are_not_listed(driver, root):
    driver.put_content(CTX, "/a/shown", b"")
    for name in ("~hidden", "with space", "line\n", "\N{SNOWMAN}", os.fsdecode(b"\xff"), "a:b"):
        (root / "a" / name).touch()
    assert driver.list(CTX, "/a") == ["/a/shown"]


def test_a_reader_has_a_descriptor_at_its_offset_to_send_from(driver):
    driver.put_content(CTX, "/a", b"0123456789")
    with closing(driver.reader(CTX, "/a", 4)) as reader:
        assert os.lseek(reader.fileno(), 0, os.SEEK_CUR) == 4
        assert os.read(reader.fileno(), 100) == b"456789"


def test_operators_may_link_directories_to_elsewhere(driver, root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    root.mkdir()
    (root / "a").symlink_to(tmp_path / "elsewhere")
    driver.put_content(CTX, "/a/b", b"content")
    assert (tmp_path / "elsewhere" / "b").read_bytes() == b"content"
    assert driver.list(CTX, "/a") == ["/a/b"]


# ── durability ──


@pytest.fixture
def steps(monkeypatch, root):
    """The steps that make a write durable, in their order: flushes by the name of what is flushed, and renames."""
    taken = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(file):
        flushed = os.readlink(f"/proc/self/fd/{file}")
        taken.append("file" if stat.S_ISREG(os.fstat(file).st_mode) else os.path.relpath(flushed, root))
        real_fsync(file)

    def replace(source, target):
        taken.append("rename")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    return taken


def test_a_durable_put_flushes_the_file_renames_it_and_flushes_the_directories(driver, steps):
    driver.put_content(CTX, "/a/b/c/file", b"content")
    assert steps[:3] == ["file", "rename", "a/b/c"]
    assert set(steps[3:]) == {"..", ".", "a", "a/b"}
    steps.clear()
    driver.put_content(CTX, "/a/b/c/file", b"content")
    assert steps == ["file", "rename", "a/b/c"]
    steps.clear()
    driver.put_content(CTX, "/a/b/new/file", b"content")
    assert steps == ["file", "a/b/new", "a/b"]  # the new directory is renamed into place with the file in it


def test_a_put_that_is_not_durable_flushes_nothing(driver, steps):
    driver.put_content(CTX, "/a/b/c/file", b"content", durable=False)
    assert steps == ["rename"]


def test_a_commit_flushes_the_file_and_the_directories(driver, root, steps):
    root.mkdir()
    with closing(driver.writer(CTX, "/a/b/file")) as writer:
        writer.write(b"content")
        assert steps == []
        writer.flush()
        assert sorted(steps) == [".", "a", "a/b", "file"]
        writer.write(b"content")
        steps.clear()
        writer.commit()
        assert steps == ["file"]
    assert steps == ["file"]


def test_a_commit_of_what_was_flushed_flushes_nothing(driver, root, steps):
    with closing(driver.writer(CTX, "/a/b/file")) as writer:
        writer.write(b"content")
        writer.flush()
    steps.clear()
    with closing(driver.writer(CTX, "/a/b/file", append=True)) as writer:
        writer.commit_flushed()
        with pytest.raises(ValueError, match="already committed"):
            writer.write(b"more")
    assert steps == []


def test_a_commit_of_what_was_flushed_fails_where_the_file_is_gone(driver, root):
    driver.put_content(CTX, "/a/b/file", b"content")
    with closing(driver.writer(CTX, "/a/b/file", append=True)) as writer:
        driver.delete(CTX, "/a")
        with pytest.raises(PathNotFound):
            writer.commit_flushed()


def test_a_move_flushes_the_targets_directories(driver, steps):
    driver.put_content(CTX, "/source", b"content", durable=False)
    steps.clear()
    driver.move(CTX, "/source", "/a/b/target")
    assert set(steps[: steps.index("a/b")]) == {"rename"}
    assert set(steps[steps.index("a/b") :]) == {"a/b", "a", "."}


def test_a_get_opens_reads_and_closes_and_no_more(driver, monkeypatch):
    driver.put_content(CTX, "/a/link", b"sha256:" + b"0" * 64)
    calls = []
    for name in ("open", "read", "close", "stat", "fstat", "lseek", "scandir", "access"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, real=real, name=name: (calls.append(name), real(*args))[1])
    driver.get_content(CTX, "/a/link")
    monkeypatch.undo()
    assert calls == ["open", "read", "close"]


# ── failures ──


def test_a_put_that_fails_leaves_the_old_file_and_no_temporary(driver, root, monkeypatch):
    driver.put_content(CTX, "/a/b", b"old")
    for name in ("write", "fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, partial(fail, errno.ENOSPC))
            with pytest.raises(DriverError, match=r"filesystem: /a/b: No space left on device"):
                driver.put_content(CTX, "/a/b", b"new")
        assert driver.get_content(CTX, "/a/b") == b"old"
        assert all_names(root) == {"a", "b"}


def test_a_put_that_is_interrupted_leaves_the_old_file_and_no_temporary(driver, root, monkeypatch):
    driver.put_content(CTX, "/a/b", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            driver.put_content(CTX, "/a/b", b"new")
    assert driver.get_content(CTX, "/a/b") == b"old"
    assert all_names(root) == {"a", "b"}


def interrupt(*_):
    raise KeyboardInterrupt


def fail(code, *_):
    raise OSError(code, os.strerror(code))


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.EROFS, errno.ENOSPC, errno.EMFILE])
def test_a_failing_system_is_a_driver_error_with_its_text(driver, monkeypatch, code):
    driver.put_content(CTX, "/a/b", b"kept")
    calls = {
        "open": [
            partial(driver.get_content, CTX, "/a/b"),
            partial(driver.put_content, CTX, "/a/b", b""),
            partial(driver.writer, CTX, "/a/b"),
            partial(driver.writer, CTX, "/a/b", append=True),
            partial(driver.list, CTX, "/a"),
            partial(driver.list, CTX, "/"),
        ],
        "stat": [partial(driver.stat, CTX, "/a/b")],
        "replace": [partial(driver.move, CTX, "/a/b", "/a/c")],
        "mkdir": [partial(driver.put_content, CTX, "/new/b", b""), partial(driver.writer, CTX, "/new/b")],
        "unlink": [partial(driver.delete, CTX, "/a/b")],
        "rename": [partial(driver.delete, CTX, "/a")],
    }
    for name, operations in calls.items():
        for operation in operations:
            with monkeypatch.context() as patch:
                patch.setattr(os, name, partial(fail, code))
                with pytest.raises(DriverError, match=os.strerror(code)) as caught:
                    operation()
            assert type(caught.value) is DriverError
            assert isinstance(caught.value.__cause__, OSError)
    assert driver.get_content(CTX, "/a/b") == b"kept"


def test_a_reader_of_what_cannot_be_opened_is_a_driver_error(driver, root):
    driver.put_content(CTX, "/a/b", b"")
    (root / "a" / "loop").symlink_to("loop")
    for look in (driver.get_content, driver.reader, driver.stat):
        with pytest.raises(DriverError, match="Too many levels of symbolic links") as caught:
            look(CTX, "/a/loop")
        assert type(caught.value) is DriverError


def test_a_file_that_cannot_be_read_is_a_driver_error(driver, root):
    driver.put_content(CTX, "/a/b", b"")
    (root / "a" / "unreadable").symlink_to("/proc/self/mem")  # Linux has nothing at its beginning
    with closing(driver.reader(CTX, "/a/unreadable")) as reader:
        for read in (partial(reader.read, 1), partial(reader.readinto, bytearray(1))):
            with pytest.raises(DriverError, match=f"/a/unreadable: {os.strerror(errno.EIO)}"):
                read()


def test_a_file_where_a_directory_is_needed_is_an_invalid_path(driver):
    driver.put_content(CTX, "/file", b"kept")
    driver.put_content(CTX, "/source", b"source")
    for path in ("/file/below", "/file/far/below"):
        for operation in (
            partial(driver.put_content, CTX, path, b""),
            partial(driver.writer, CTX, path),
            partial(driver.move, CTX, "/source", path),
        ):
            with pytest.raises(InvalidPath):
                operation()


def test_a_full_disk_is_a_driver_error_and_the_writer_knows_what_was_written(driver, root):
    root.mkdir()
    (root / "full").symlink_to("/dev/full")
    with closing(driver.writer(CTX, "/full", append=True)) as writer:
        with pytest.raises(DriverError, match="No space left on device"):
            writer.write(b"content")
        assert writer.size == 0


FILE_SIZE_LIMIT = """
import resource, sys
from registry_wsgi.context import Context
from registry_wsgi.drivers.filesystem import FilesystemDriver
from registry_wsgi.errors import DriverError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
driver, ctx = FilesystemDriver(rootdirectory=sys.argv[1]), Context()
driver.put_content(ctx, "/a/b", b"old")
try:
    driver.put_content(ctx, "/a/b", b"x" * 1001)
except DriverError as error:
    print(error)
writer = driver.writer(ctx, "/a/c")
writer.write(b"y" * 600)
try:
    writer.write(b"y" * 600)
except DriverError as error:
    print(error, writer.size)
writer.close()
"""


def test_a_file_that_may_not_grow_is_a_driver_error_and_the_writer_knows_its_size(driver, root):
    ran = subprocess.run([sys.executable, "-c", FILE_SIZE_LIMIT, root], stdout=subprocess.PIPE, text=True, check=True)
    assert ran.stdout.splitlines() == ["filesystem: /a/b: File too large", "filesystem: /a/c: File too large 1000"]
    assert driver.get_content(CTX, "/a/b") == b"old"
    assert driver.get_content(CTX, "/a/c") == b"y" * 1000
    assert all_names(root) == {"a", "b", "c"}


def test_writes_that_the_system_takes_in_small_parts_are_whole(driver, monkeypatch):
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, content: real(file, content[:7]))
        driver.put_content(CTX, "/put", bytes(range(256)))
        with closing(driver.writer(CTX, "/written")) as writer:
            assert writer.write(bytes(range(256))) == 256
            assert writer.size == 256
            writer.commit()
    assert driver.get_content(CTX, "/put") == driver.get_content(CTX, "/written") == bytes(range(256))


# ── others at the same time ──


def test_a_directory_that_vanishes_before_the_rename_is_made_again(driver, monkeypatch):
    driver.put_content(CTX, "/a/b/old", b"old")
    real, vanished = os.replace, []

    def replace(source, target):
        if not vanished:
            vanished.append(True)
            driver.delete(CTX, "/a")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        driver.put_content(CTX, "/a/b/new", b"new")
    assert driver.get_content(CTX, "/a/b/new") == b"new"
    assert driver.list(CTX, "/a/b") == ["/a/b/new"]


def test_a_directory_is_listed_only_when_its_file_can_be_read(driver, monkeypatch):
    driver.put_content(CTX, "/tags/old/current/link", b"content")
    listed = []
    real = os.fsync

    def fsync(file):
        listed.append(driver.list(CTX, "/tags"))
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    driver.put_content(CTX, "/tags/new/current/link", b"content")
    assert listed[0] == ["/tags/old"]
    assert driver.get_content(CTX, "/tags/new/current/link") == b"content"


def test_of_puts_at_once_none_shows_a_directory_without_its_file(driver, monkeypatch):
    """The first file of a directory is put while another is: who comes second makes what is left to make."""
    driver.put_content(CTX, "/a/b", b"content")
    real = os.rename

    def rename(source, target):
        monkeypatch.setattr(os, "rename", real)
        driver.put_content(CTX, "/tags/first/current/link", b"content")
        monkeypatch.setattr(os, "mkdir", watched)
        real(source, target)

    def watched(path, *mode, made=os.mkdir):
        assert "~" in str(path)
        made(path, *mode)

    monkeypatch.setattr(os, "rename", rename)
    driver.put_content(CTX, "/tags/second/current/link", b"content")
    assert sorted(driver.list(CTX, "/tags")) == ["/tags/first", "/tags/second"]
    assert driver.get_content(CTX, "/tags/second/current/link") == b"content"


def test_a_put_that_is_interrupted_leaves_no_new_directory(driver, root, monkeypatch):
    driver.put_content(CTX, "/tags/old", b"content")
    monkeypatch.setattr(os, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt):
        driver.put_content(CTX, "/tags/new/current/link", b"content")
    assert all_names(root) == {"tags", "old"}


@pytest.mark.parametrize("code", [errno.EXDEV, errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT])
def test_directories_that_cannot_be_renamed_into_place_are_made_in_place(driver, root, monkeypatch, code):
    driver.put_content(CTX, "/a", b"content")
    monkeypatch.setattr(os, "rename", partial(fail, code))
    driver.put_content(CTX, "/tags/new/current/link", b"content")
    assert driver.get_content(CTX, "/tags/new/current/link") == b"content"
    assert all_names(root) == {"a", "tags", "new", "current", "link"}


def test_a_directory_that_vanishes_after_the_rename_needs_no_flush(driver, monkeypatch):
    real = os.replace

    def replace(source, target):
        real(source, target)
        driver.delete(CTX, "/a")

    monkeypatch.setattr(os, "replace", replace)
    driver.put_content(CTX, "/a/b/c", b"content")
    with pytest.raises(PathNotFound):
        driver.get_content(CTX, "/a/b/c")


def test_directories_that_vanish_without_end_are_a_driver_error(driver, monkeypatch):
    driver.put_content(CTX, "/a/b", b"content")
    monkeypatch.setattr(os, "open", partial(fail, errno.ENOENT))
    for operation in (partial(driver.put_content, CTX, "/a/b", b""), partial(driver.writer, CTX, "/a/b")):
        with pytest.raises(DriverError, match="No such file or directory") as caught:
            operation()
        assert type(caught.value) is DriverError


def test_a_directory_that_is_deleted_while_it_is_listed_is_not_seen_in_part(driver, monkeypatch):
    for number in range(10):
        driver.put_content(CTX, f"/a/{number}", b"", durable=False)
    real = os.listdir

    def listdir(directory):
        monkeypatch.undo()
        driver.delete(CTX, "/a")
        return real(directory)

    monkeypatch.setattr(os, "listdir", listdir)
    with pytest.raises(PathNotFound):
        driver.list(CTX, "/a")


def test_a_file_that_gets_into_a_directory_while_it_is_deleted_goes_too(driver, root, monkeypatch):
    driver.put_content(CTX, "/a/b", b"")
    real = directories.shutil.rmtree

    def rmtree(path, **options):
        real(path, **options)
        if not late:
            late.append(True)
            os.mkdir(path)
            (root / path / "late").touch()

    late = []
    monkeypatch.setattr(directories.shutil, "rmtree", rmtree)
    driver.delete(CTX, "/a")
    assert all_names(root) == set()


def when_locking(monkeypatch, action):
    """Run `action` once, after the file was opened and before it is locked."""
    real = fcntl.flock

    def flock(file, operation):
        monkeypatch.undo()
        action()
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock)


def test_a_file_that_became_a_blob_between_opening_and_locking_is_not_appended_to(driver, monkeypatch):
    driver.put_content(CTX, "/upload", b"content")
    when_locking(monkeypatch, partial(driver.move, CTX, "/upload", "/blob"))
    with pytest.raises(PathNotFound):
        driver.writer(CTX, "/upload", append=True)
    assert driver.get_content(CTX, "/blob") == b"content"


def test_a_file_that_became_a_blob_between_opening_and_locking_is_not_emptied(driver, monkeypatch):
    driver.put_content(CTX, "/upload", b"content")
    when_locking(monkeypatch, partial(driver.move, CTX, "/upload", "/blob"))
    with closing(driver.writer(CTX, "/upload")) as writer:
        writer.write(b"new")
        writer.commit()
    assert driver.get_content(CTX, "/blob") == b"content"
    assert driver.get_content(CTX, "/upload") == b"new"


def test_a_file_that_was_replaced_between_opening_and_locking_is_opened_again(driver, monkeypatch):
    driver.put_content(CTX, "/upload", b"old")
    when_locking(monkeypatch, partial(driver.put_content, CTX, "/upload", b"replaced "))
    with closing(driver.writer(CTX, "/upload", append=True)) as writer:
        writer.write(b"and appended to")
        writer.commit()
    assert driver.get_content(CTX, "/upload") == b"replaced and appended to"


def test_a_closed_writer_lets_go_though_a_forked_child_has_its_file_open(driver):
    writer = driver.writer(CTX, "/a")
    inherited = os.dup(writer._file.fileno())
    try:
        writer.close()
        driver.writer(CTX, "/a", append=True).close()
    finally:
        os.close(inherited)


@pytest.mark.parametrize("seed", range(5))
def test_leftovers_of_a_crash_are_hidden_and_go_with_their_directory(driver, root, seed):
    driver.put_content(CTX, "/a/b", b"content")
    name = os.path.basename(directories.hidden_sibling("/a/b"))
    (root / "a" / name).write_bytes(random.Random(seed).randbytes(10))
    assert driver.list(CTX, "/a") == ["/a/b"]
    with pytest.raises(InvalidPath):
        driver.get_content(CTX, f"/a/{name}")
    driver.delete(CTX, "/a")
    assert all_names(root) == set()


def test_a_large_file_is_begun_to_be_written_to_the_disk_before_it_is_flushed(
    driver: FilesystemDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []
    monkeypatch.setattr(writeback, "_sync_file_range", lambda: lambda *call: begun.append(call[1:3]))
    writer = driver.writer(CTX, "/file")
    for _ in range(20):
        writer.write(b"\0" * MIB)
    writer.close()
    assert begun == [(0, 8 * MIB), (8 * MIB, 8 * MIB)]
