"""Whether files can be written at a place, told without making any: by what looks before a registry is started."""

from __future__ import annotations

import errno
import os


def check_directory(path: str | os.PathLike[str]) -> None:
    """Raises OSError where no file can be made in the directory, or in one that would be made there."""
    standing = os.path.abspath(path)
    while not os.path.lexists(standing):
        standing = os.path.dirname(standing)
    if not os.path.isdir(standing):
        raise _error(errno.ENOTDIR, standing)
    _check_access(standing, os.W_OK | os.X_OK)


def check_file(path: str | os.PathLike[str]) -> None:
    """Raises OSError where the file cannot be appended to, or made in its directory, which has to be there."""
    if os.path.isdir(path):
        raise _error(errno.EISDIR, path)
    if os.path.lexists(path):
        _check_access(path, os.W_OK)
    else:
        os.stat(os.path.dirname(os.path.abspath(path)))
        check_directory(os.path.dirname(os.path.abspath(path)))


def _check_access(path: str | os.PathLike[str], mode: int) -> None:
    if not os.access(path, mode, effective_ids=os.access in os.supports_effective_ids):
        read_only = os.statvfs(path).f_flag & os.ST_RDONLY
        raise _error(errno.EROFS if read_only else errno.EACCES, path)


def _error(number: int, path: str | os.PathLike[str]) -> OSError:
    return OSError(number, os.strerror(number), os.fspath(path))
