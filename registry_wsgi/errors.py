"""Every error of the system.

`RegistryError` and its subclasses are what a client may see: one class is one
wire code with one status (OCI Distribution Spec 1.1 "Error Codes", and the
codes of Docker's registry that the specification left out). `DriverError` and
its subclasses are what a storage driver raises; they never reach the wire as
they are.

`docs/errors.md` lists the same codes for clients, and a test keeps the two equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class RegistryError(Exception):
    """An error with a wire code, a status and a detail that names what is wrong.

    `detail` is any JSON value; `headers` go onto the response.
    """

    code: ClassVar[str] = "UNKNOWN"
    status: ClassVar[int] = 500
    message: ClassVar[str] = "unknown error"

    def __init__(self, detail: object = None, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})

    def __str__(self) -> str:
        return f"{self.message}: {self.detail}" if self.detail is not None else self.message

    def to_dict(self) -> dict[str, object]:
        """Return the error as one entry of the JSON envelope; an absent detail is omitted."""
        entry: dict[str, object] = {"code": self.code, "message": self.message}
        if self.detail is not None:
            entry["detail"] = self.detail
        return entry


class RegistryErrors(Exception):
    """Several errors found together; the status is the first one's."""

    def __init__(self, errors: Iterable[RegistryError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(map(str, self.errors)))


class Unsupported(RegistryError):
    code, status, message = "UNSUPPORTED", 405, "The operation is unsupported."


class Unauthorized(RegistryError):
    code, status, message = "UNAUTHORIZED", 401, "authentication required"


class Denied(RegistryError):
    """`user` is who may not, for log lines; who raises it need not tell."""

    code, status, message = "DENIED", 403, "requested access to the resource is denied"

    def __init__(self, detail: object = None, *, user: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, headers=headers)
        self.user = user


class TooManyRequests(RegistryError):
    code, status, message = "TOOMANYREQUESTS", 429, "too many requests"


class Unavailable(RegistryError):
    code, status, message = "UNAVAILABLE", 503, "service unavailable"


class RouteUnknown(RegistryError):
    code, status, message = "NAME_UNKNOWN", 404, "no such route"


class NameUnknown(RegistryError):
    code, status, message = "NAME_UNKNOWN", 404, "repository name not known to registry"


class NameInvalid(RegistryError):
    code, status, message = "NAME_INVALID", 400, "invalid repository name"


class TagInvalid(RegistryError):
    code, status, message = "MANIFEST_INVALID", 400, "invalid tag"


class TooManyTags(RegistryError):
    code, status, message = "MANIFEST_INVALID", 414, "too many tags in one push"


class DigestInvalid(RegistryError):
    code, status, message = (
        "DIGEST_INVALID",
        400,
        "provided digest did not match uploaded content",
    )


class PreconditionFailed(RegistryError):
    code, status, message = "DIGEST_INVALID", 412, "the content is not the one that If-Match names"


class SizeInvalid(RegistryError):
    code, status, message = "SIZE_INVALID", 400, "provided length did not match content length"


class LengthRequired(RegistryError):
    code, status, message = "SIZE_INVALID", 411, "a Content-Length is required here"


class RangeInvalid(RegistryError):
    code, status, message = "SIZE_INVALID", 416, "no part of the content is within the range"


class ChunkInvalid(RegistryError):
    code, status, message = "BLOB_UPLOAD_INVALID", 416, "the chunk does not go on where the upload ends"


class ManifestUnknown(RegistryError):
    code, status, message = "MANIFEST_UNKNOWN", 404, "manifest unknown"


class ManifestInvalid(RegistryError):
    code, status, message = "MANIFEST_INVALID", 400, "manifest invalid"


class ManifestTooLarge(RegistryError):
    code, status, message = "MANIFEST_INVALID", 413, "manifest too large"


class ManifestUnverified(RegistryError):
    code, status, message = (
        "MANIFEST_UNVERIFIED",
        400,
        "manifest failed signature verification",
    )


class ManifestBlobUnknown(RegistryError):
    code, status, message = "MANIFEST_BLOB_UNKNOWN", 400, "blob unknown to registry"


class BlobUnknown(RegistryError):
    code, status, message = "BLOB_UNKNOWN", 404, "blob unknown to registry"


class BlobUploadUnknown(RegistryError):
    code, status, message = "BLOB_UPLOAD_UNKNOWN", 404, "blob upload unknown to registry"


class BlobUploadInvalid(RegistryError):
    code, status, message = "BLOB_UPLOAD_INVALID", 404, "blob upload invalid"


class PaginationNumberInvalid(RegistryError):
    code, status, message = (
        "PAGINATION_NUMBER_INVALID",
        400,
        "invalid number of results requested",
    )


class ConfigurationError(Exception):
    """The configuration cannot be used; the text names the key and what is allowed.

    `others` are of the same section, for who wants to know all that is wrong.
    """

    others: tuple[ConfigurationError, ...] = ()


def why(error: OSError | ValueError) -> str:
    """Return why a file cannot be used, on one line and without the path, which the message has already."""
    return " ".join(str(getattr(error, "strerror", None) or error).split())


class DeliveryFailed(Exception):
    """An event was not taken; `status` is what the endpoint said, empty where it could not be reached."""

    def __init__(self, message: str, status: str = "") -> None:
        super().__init__(message)
        self.status = status


class DriverError(Exception):
    """A storage driver failed; `driver` is its name, the text says what happened."""

    def __init__(self, driver: str, message: str) -> None:
        super().__init__(f"{driver}: {message}")
        self.driver = driver


class PathNotFound(DriverError):
    """Nothing is stored at the path."""

    def __init__(self, driver: str, path: str) -> None:
        super().__init__(driver, f"path not found: {path}")
        self.path = path


class InvalidPath(DriverError):
    """The path is outside the grammar of storage paths."""

    def __init__(self, driver: str, path: str) -> None:
        super().__init__(driver, f"invalid path: {path!r}")
        self.path = path


class InvalidOffset(DriverError):
    """A reader was asked for at a negative offset."""

    def __init__(self, driver: str, path: str, offset: int) -> None:
        super().__init__(driver, f"invalid offset {offset} for path: {path}")
        self.path = path
        self.offset = offset


class PathBusy(DriverError):
    """Another writer holds the path; it may be free again in a moment."""

    def __init__(self, driver: str, path: str) -> None:
        super().__init__(driver, f"another writer holds the path: {path}")
        self.path = path
