"""registry:2's section `s3`, checked: what it says of the objects, and the clients that it asks for."""

from __future__ import annotations

import functools
import logging
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
import urllib3
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path

from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

MEBIBYTE: Final = 1024 * 1024
SMALLEST_PART: Final = 5 * MEBIBYTE
"""A part that is not the last one has this many bytes at least, wherever S3 is spoken."""
LARGEST_PART: Final = 5 * 1024 * MEBIBYTE

ATTEMPTS: Final = 4
"""How often a request is made at most; between them the client waits a fraction of 1, 2 and 4 seconds."""
CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 30
CONNECTIONS: Final = 64

_making: Final = threading.Lock()  # a session is for one thread at a time, the clients it makes are for all
_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]+")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
_STORAGE_CLASSES: Final = (
    *("NONE", "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING"),
    *("GLACIER_IR", "OUTPOSTS", "EXPRESS_ONEZONE"),
)
"""Those from which an object can be read at once; registry:2 takes the same, less what came after it."""
_ACLS: Final = (
    *("private", "public-read", "public-read-write", "authenticated-read"),
    *("aws-exec-read", "bucket-owner-read", "bucket-owner-full-control"),
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of the parts that are sent, and what of objects that are copied within the store."""

    part: int
    copy_part: int
    copy_threshold: int
    copies_at_once: int


def checked_sizes(chunksize: object, copychunksize: object, threshold: object, concurrency: object) -> Sizes:
    """Raises ConfigurationError."""
    return Sizes(
        part=_number("chunksize", chunksize, SMALLEST_PART, LARGEST_PART),
        copy_part=_number("multipartcopychunksize", copychunksize, SMALLEST_PART, LARGEST_PART),
        copy_threshold=_number("multipartcopythresholdsize", threshold, 0, LARGEST_PART),
        copies_at_once=_number("multipartcopymaxconcurrency", concurrency, 1, 10_000),
    )


def _number(name: str, value: object, least: int, most: int) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise ConfigurationError(f"{name} must be a whole number from {least} to {most}, not {value!r}")
    return int(text)


def object_headers(*, encrypt: bool, keyid: str, storageclass: str, objectacl: str) -> dict[str, str]:
    """Return what every object is written with. Raises ConfigurationError."""
    if storageclass not in _STORAGE_CLASSES:
        raise ConfigurationError(f"storageclass must be one of {', '.join(_STORAGE_CLASSES)}, not {storageclass!r}")
    if objectacl not in _ACLS:
        raise ConfigurationError(f"objectacl must be one of {', '.join(_ACLS)}, not {objectacl!r}")
    if keyid and not encrypt:
        raise ConfigurationError("keyid is given without encrypt: true; nothing would be encrypted with it")
    headers = {}
    # What is the default of every bucket is not sent: stores that know no classes and no lists refuse them.
    if objectacl != "private":
        headers["ACL"] = objectacl
    if storageclass not in ("NONE", "STANDARD"):
        headers["StorageClass"] = storageclass
    if keyid:
        headers |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": keyid}
    elif encrypt:
        headers["ServerSideEncryption"] = "AES256"
    return headers


@dataclass(frozen=True, slots=True)
class Access:
    """Where the store is and how it is spoken to."""

    bucket: str
    region: str
    regionendpoint: str
    redirectendpoint: str
    accesskey: str
    secretkey: str
    sessiontoken: str
    secure: bool
    skipverify: bool
    forcepathstyle: bool
    usedualstack: bool
    accelerate: bool
    usefipsendpoint: bool
    useragent: str

    def check(self) -> None:
        """Raises ConfigurationError."""
        if _BUCKET.fullmatch(self.bucket) is None:
            raise ConfigurationError(f"bucket must be the name of a bucket, not {self.bucket!r}")
        if not self.region and not self.regionendpoint:
            raise ConfigurationError("region is required, unless regionendpoint says where the store is")
        if not self.regionendpoint and _REGION.fullmatch(self.region) is None:
            raise ConfigurationError(f"region must be one of AWS, such as eu-central-1, not {self.region!r}")
        if bool(self.accesskey) != bool(self.secretkey):
            raise ConfigurationError("accesskey and secretkey are given together, or neither of them")
        if self.sessiontoken and not self.accesskey:
            raise ConfigurationError("sessiontoken is given without accesskey and secretkey")

    def client(self) -> Any:
        """Return a client of the store; it connects with the first request. Raises ConfigurationError."""
        return self._client(self.regionendpoint)

    def redirect_client(self) -> Any:
        """Return the client that signs the URLs for others. Raises ConfigurationError."""
        return self._client(self.redirectendpoint or self.regionendpoint)

    def credentials(self) -> Any:
        """Return botocore's credentials, which may renew themselves; None where there are none to be found."""
        if self.accesskey:
            return Credentials(self.accesskey, self.secretkey, self.sessiontoken or None)
        with _making:
            return _session().get_credentials()

    def connections(self, origin: str) -> urllib3.HTTPConnectionPool:
        """Return connections to the store that stay open, with the timeouts and certificates of the client's."""
        trusted = False if self.skipverify else _core().get_config_variable("ca_bundle") or True
        tls = {"cert_reqs": "CERT_NONE"} if self.skipverify else {"ca_certs": get_cert_path(trusted)}
        return urllib3.connection_from_url(
            origin,
            maxsize=CONNECTIONS,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            **(tls if origin.startswith("https:") else {}),
        )

    def _client(self, endpoint: str) -> Any:
        if endpoint and "://" not in endpoint:
            endpoint = f"{'https' if self.secure else 'http'}://{endpoint}"
        given: Mapping[str, str] = {
            "aws_access_key_id": self.accesskey,
            "aws_secret_access_key": self.secretkey,
            "aws_session_token": self.sessiontoken,
        }
        try:
            # A session reads the descriptions of the service from files, which takes longer than all else.
            with _making:
                return _session().client(
                    "s3",
                    region_name=self.region or "us-east-1",
                    endpoint_url=endpoint or None,
                    use_ssl=self.secure,
                    verify=False if self.skipverify else None,
                    config=self._config(endpoint),
                    **{name: value for name, value in given.items() if value},
                )
        except (BotoCoreError, ValueError) as error:
            raise ConfigurationError(f"the client cannot be made: {' '.join(str(error).split())}") from error

    def _path_style(self, endpoint: str) -> bool:
        """A bucket with a dot has no host name that a certificate of AWS is for."""
        return self.forcepathstyle or bool(endpoint) or "." in self.bucket

    def _config(self, endpoint: str) -> Config:
        return Config(
            signature_version="s3v4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            # The digest of the whole is what is believed; a checksum of each part would be counted on top of it.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            use_dualstack_endpoint=self.usedualstack or None,
            use_fips_endpoint=self.usefipsendpoint or None,
            user_agent_extra=self.useragent or None,
            s3={
                "addressing_style": "path" if self._path_style(endpoint) else "virtual",
                "use_accelerate_endpoint": self.accelerate,
            },
        )


@functools.cache
def _core() -> Any:
    return botocore.session.get_session()


@functools.cache
def _session() -> Any:
    return boto3.session.Session(botocore_session=_core())


def warn_of(*, loglevel: str) -> None:
    """Log what has no effect here."""
    if loglevel != "off":
        logging.getLogger("registry_wsgi").warning(
            "storage.s3.loglevel has no effect: the client's log is the logger botocore"
        )
