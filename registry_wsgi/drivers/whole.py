"""Small files of the file system, read and replaced whole."""

from __future__ import annotations

import os
from contextlib import suppress

from registry_wsgi.drivers.directories import hidden_sibling, parent
from registry_wsgi.drivers.locked import write_all

_READ_SIZE = 64 * 1024


def read_all(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY)
    try:
        part = content = os.read(file, _READ_SIZE)
        while len(part) == _READ_SIZE:  # Of a file, less than was asked for is the end: nearly all are read at once.
            part = os.read(file, _READ_SIZE)
            content += part
        return content
    finally:
        os.close(file)


def replace(path: str, content: bytes, *, durable: bool) -> None:
    """Write the file beside its place and rename it there, so that a reader sees the old or the new one."""
    if not content:
        with suppress(FileExistsError):  # An empty file is whole as soon as it is there.
            create(path, content, durable=durable)
            return
    temporary = hidden_sibling(path)
    create(temporary, content, durable=durable)
    try:
        os.replace(temporary, path)
    except BaseException:
        _discard(temporary)
        raise


def replaced(path: str, content: bytes, *, durable: bool) -> bool:
    """Replace it as `replace` does; False where the directory is missing, which costs less to see than to run into."""
    if not os.access(parent(path), os.F_OK):
        return False
    try:
        replace(path, content, durable=durable)
    except FileNotFoundError:
        return False
    return True


def create(path: str, content: bytes, *, durable: bool) -> None:
    """Write a new file, of which nothing is left where that fails. Raises FileExistsError, and other OSErrors."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        try:
            if content:
                write_all(file, content)
            if durable:
                os.fsync(file)
        finally:
            os.close(file)
    except BaseException:
        _discard(path)
        raise


def _discard(path: str) -> None:
    with suppress(OSError):  # The failure to tell of is the first one.
        os.unlink(path)
