"""What can be looked at. A check is a function that returns where all is well, and raises CheckFailed in words."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from registry_wsgi.context import Context
from registry_wsgi.descriptor import Digest
from registry_wsgi.errors import BlobUnknown, DriverError, PathNotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from registry_wsgi.interfaces import BlobDescriptorCacheProvider, Outbox, StorageDriver

    Check = Callable[[], None]

_ROOT: Final = "/docker/registry/v2"
_PROBE: Final = f"{_ROOT}/_health/probe"
"""A file beside the trees of registry:2, which looks into none of its own that it does not know."""
_ABSENT: Final = Digest("sha256:" + "0" * 64)


class CheckFailed(Exception):
    """What is wrong, in words."""


def storage_answers(driver: StorageDriver) -> Check:
    """An empty storage is well."""

    def check() -> None:
        try:
            with suppress(PathNotFound):
                driver.stat(Context(), _ROOT)
        except DriverError as error:
            raise CheckFailed(str(error)) from error

    return check


def storage_takes(driver: StorageDriver) -> Check:
    """Write a file of a few bytes, the same one each time."""

    def check() -> None:
        try:
            driver.put_content(Context(), _PROBE, b"ready\n", durable=False)
        except DriverError as error:
            raise CheckFailed(f"the storage driver {driver.name} cannot write: {error}") from error

    return check


def cache_answers(cache: BlobDescriptorCacheProvider) -> Check:
    def check() -> None:
        try:
            with suppress(BlobUnknown):
                cache.stat(Context(), _ABSENT)
        except Unavailable as error:
            raise CheckFailed(str(error.detail or "the cache cannot be reached")) from error

    return check


def outbox_answers(outbox: Outbox) -> Check:
    def check() -> None:
        try:
            outbox.statistics()
        except Unavailable as error:
            raise CheckFailed(str(error.detail or "the outbox cannot be reached")) from error

    return check


def file_absent(path: str) -> Check:
    """An operator makes the file to take the registry out of service."""

    def check() -> None:
        if Path(path).exists():
            raise CheckFailed("file exists")

    return check


def url_answers(url: str, *, status: int, headers: Mapping[str, Sequence[str]], timeout: float) -> Check:
    """Ask by HEAD; a redirect is followed, as registry:2 does. A `timeout` of 0 is none."""
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the configuration takes http and https alone
    for name, values in headers.items():
        request.add_header(name, ", ".join(values))

    def check() -> None:
        try:
            with urllib.request.urlopen(request, timeout=timeout or None) as answer:  # noqa: S310
                found = answer.status
        except urllib.error.HTTPError as error:
            found = error.code
            error.close()
        except (OSError, ValueError) as error:
            raise CheckFailed(_reason(error)) from error
        if found != status:
            raise CheckFailed(f"the status is {found}, not {status}")

    return check


def port_answers(addr: str, *, timeout: float) -> Check:
    host, _, port = addr.rpartition(":")

    def check() -> None:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout or None).close()
        except OSError as error:
            raise CheckFailed(f"cannot connect to {addr}: {_reason(error)}") from error

    return check


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(error).__name__
