"""What botocore raises, as the errors of storage drivers: each with one line for the log that says what to look at."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from registry_wsgi.errors import DriverError, PathNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound", "NoSuchUpload"})
_UNMET: Final = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
_UNABLE: Final = frozenset({"NotImplemented", "501"})
PLAIN: Final = _MISSING | _UNMET | _UNABLE
"""The codes that are an answer: to ask again would not help."""
_HINTS: Final = {
    "ExpiredToken": "the credentials have expired",
    "ExpiredTokenException": "the credentials have expired",
    "InvalidAccessKeyId": "the store does not know the access key",
    "SignatureDoesNotMatch": "the secret key is another, or something on the way changes the request",
    "RequestTimeTooSkewed": "the clocks of this host and of the store differ too much",
    "AccessDenied": "the credentials do not allow it",
    "NoSuchBucket": "there is no such bucket",
    "SlowDown": "the store asks for fewer requests",
}


class Unmet(DriverError):
    """A conditional request found its object changed, made or gone."""


class NotImplementedByStore(DriverError):
    """The store knows no such request."""


@contextmanager
def translated(driver: str, path: str, operation: str) -> Iterator[None]:
    """Raise what the block's requests raise as PathNotFound, Unmet, NotImplementedByStore or another DriverError."""
    try:
        yield
    except ClientError as error:
        raise _translated(driver, path, operation, error) from error
    except (BotoCoreError, HTTPError, OSError) as error:
        raise DriverError(driver, f"{path}: {operation}: {' '.join(str(error).split())}") from error


def _translated(driver: str, path: str, operation: str, error: ClientError) -> DriverError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in _MISSING:
        return PathNotFound(driver, path)
    reason = f"{path}: {operation}: {code} {_HINTS.get(code) or error.response.get('Error', {}).get('Message', '')}"
    if code in _UNMET:
        return Unmet(driver, reason)
    if code in _UNABLE:
        return NotImplementedByStore(driver, reason)
    return DriverError(driver, reason.rstrip())


def status_of(error: DriverError) -> str:
    """Return the code that the store answered with, empty where it did not answer."""
    cause = error.__cause__
    return str(cause.response.get("Error", {}).get("Code", "")) if isinstance(cause, ClientError) else ""
