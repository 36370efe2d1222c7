"""Directories and hidden names of the file system: made, flushed and removed beside other processes that do the same.

A hidden name has a `~`, which no storage path can have: it collides with nothing and is never listed.
A crash may leave one behind; it can be deleted while no registry runs.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from registry_wsgi.context import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Result = TypeVar("Result")

_COMPONENT = re.compile(r"[A-Za-z0-9._-]+")

_OVERTAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT})
"""Why a directory cannot be renamed into place: others have made it, or deleted what is above it."""

ATTEMPTS = 32
"""How often an operation is tried that others keep pulling the directory away from under."""


def parent(path: str) -> str:
    """Return the directory of `path`, which is absolute and has no slash to spare; os.path.dirname takes four times."""
    return path.rpartition("/")[0] or "/"


def hidden_sibling(path: str) -> str:
    """Return a new name in the directory of `path`, of a length that does not depend on it."""
    return f"{parent(path)}/~{new_id()}"


def with_parents(path: str, action: Callable[[], Result], changed: list[str]) -> Result:
    """Return what `action` returns, making the parents of `path` whenever it finds them missing.

    The directories that got a new entry by that are added to `changed`, to be flushed.
    Raises what `action` raises; FileNotFoundError only where the parents keep vanishing.
    """
    for _ in range(ATTEMPTS):
        with suppress(FileNotFoundError):
            return action()
        with suppress(FileNotFoundError):
            _make_directories(parent(path), changed)
    return action()


def place_with_parents(path: str, root: str, create: Callable[[str], None], changed: list[str]) -> bool:
    """Make the missing parents of `path` and the file that `create` makes there, all in one step.

    They are made below a hidden name in `root` and renamed into place, so that a directory, such as a tag's,
    is not listed before its file can be read. Who finds that others made some of them meanwhile makes the rest.
    The directories that got a new entry are added to `changed`.
    Returns False, and nothing has changed, where that cannot be: the root itself is missing, no parent is, or
    the place is on another file system.
    """
    directory = parent(path)
    for _ in range(ATTEMPTS):
        top = _topmost_missing(directory)
        if not top.startswith(f"{root}/"):
            return False
        try:
            _place_tree(hidden_sibling(f"{root}/any"), top, path, create)
        except OSError as error:
            if error.errno not in _OVERTAKEN:
                return False
            continue
        while len(directory) >= len(top):
            directory = parent(directory)
            changed.append(directory)
        return True
    return False


def _place_tree(stage: str, top: str, path: str, create: Callable[[str], None]) -> None:
    os.mkdir(stage)
    try:
        if below := parent(path).removeprefix(top):
            os.makedirs(stage + below)
        create(stage + path.removeprefix(top))
        os.rename(stage, top)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise


def _topmost_missing(directory: str) -> str:
    """Return the highest of the directories on the way that are missing, or `directory` if it is there."""
    while not os.path.lexists(above := parent(directory)):
        directory = above
    return directory


def _make_directories(directory: str, changed: list[str]) -> None:
    try:
        os.mkdir(directory)
    except FileNotFoundError:
        _make_directories(parent(directory), changed)
        with suppress(FileExistsError):
            os.mkdir(directory)
            changed.append(parent(directory))
    except FileExistsError:
        pass  # If it is a file, the action says so.
    else:
        changed.append(parent(directory))


def flush_directories(directories: Iterable[str]) -> None:
    """Flush each directory's entries to the disk."""
    for directory in dict.fromkeys(directories):
        try:
            file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # Deleted since by another, with the entry that was to be flushed.
        try:
            os.fsync(file)
        finally:
            os.close(file)


def is_named(opened: os.stat_result, path: str) -> bool:
    """Tell whether `path` still means the file or directory that was opened, by its fstat."""
    try:
        return os.path.samestat(opened, os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return False


def list_names(path: str) -> list[str]:
    """Return the names in a directory that a storage path can have: all of them; see `read_directory`."""
    return read_directory(path)[1]


def read_directory(path: str) -> tuple[os.stat_result, list[str]]:
    """Return what a directory was just before it was read, and the names in it that a storage path can have.

    They are all there also where the directory is being deleted and made anew.
    """
    while True:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            found = os.fstat(directory)
            names = os.listdir(directory)
            if is_named(found, path):
                return found, [name for name in names if _COMPONENT.fullmatch(name)]
        finally:
            os.close(directory)


def remove_tree(path: str) -> None:
    """Delete a directory that readers see whole or not at all: it is hidden by a rename first."""
    hidden = hidden_sibling(path)
    os.rename(path, hidden)
    # A write that had found the directory before may still put a file into it.
    for _ in range(ATTEMPTS):
        with suppress(OSError):
            _remove(hidden)
            return
    shutil.rmtree(hidden)


def _remove(directory: str) -> None:
    """Delete a directory with half the system calls of shutil.rmtree, which guards against links put in its way."""
    for name in os.listdir(directory):
        path = f"{directory}/{name}"
        try:
            os.unlink(path)
        except IsADirectoryError:
            _remove(path)
    os.rmdir(directory)
