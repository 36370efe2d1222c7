"""registry:2's section `s3`: its parameters, and what is wrong with what they may not be."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Final

from registry_wsgi.errors import ConfigurationError

MEBIBYTE: Final = 1024 * 1024
SMALLEST_PART: Final = 5 * MEBIBYTE
"""A part that is not the last one has this many bytes at least, wherever S3 is spoken."""
LARGEST_PART: Final = 5 * 1024 * MEBIBYTE

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


@dataclass(frozen=True, kw_only=True)
class Section:
    """The parameters of registry:2 and registry:3; `uploadlease` is ours. README.md says what each of them means."""

    bucket: str
    region: str = ""
    regionendpoint: str = ""
    redirectendpoint: str = ""
    accesskey: str = ""
    secretkey: str = ""
    sessiontoken: str = ""
    rootdirectory: str = ""
    encrypt: bool = False
    keyid: str = ""
    secure: bool = True
    skipverify: bool = False
    v4auth: bool = True
    chunksize: int | str = 10 * MEBIBYTE
    multipartcopychunksize: int | str = 32 * MEBIBYTE
    multipartcopymaxconcurrency: int | str = 100
    multipartcopythresholdsize: int | str = 32 * MEBIBYTE
    storageclass: str = "STANDARD"
    objectacl: str = "private"
    useragent: str = ""
    loglevel: str = "off"
    forcepathstyle: bool = False
    usedualstack: bool = False
    accelerate: bool = False
    usefipsendpoint: bool = False
    uploadlease: int = 30

    def check(self) -> None:
        """Raise ConfigurationError where the parameters do not go together; log what has no effect."""
        if not self.v4auth:
            raise ConfigurationError("v4auth: false asks for signatures of version 2, which no store has to take")
        if not 1 <= self.uploadlease <= 3600:
            raise ConfigurationError(f"uploadlease must be a number of seconds from 1 to 3600, not {self.uploadlease}")
        self._check_place()
        self._check_objects()
        if self.loglevel != "off":
            logging.getLogger("registry_wsgi").warning(
                "storage.s3.loglevel has no effect: the client's log is the logger botocore"
            )

    def _check_place(self) -> None:
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

    def _check_objects(self) -> None:
        if self.storageclass not in _STORAGE_CLASSES:
            allowed = ", ".join(_STORAGE_CLASSES)
            raise ConfigurationError(f"storageclass must be one of {allowed}, not {self.storageclass!r}")
        if self.objectacl not in _ACLS:
            raise ConfigurationError(f"objectacl must be one of {', '.join(_ACLS)}, not {self.objectacl!r}")
        if self.keyid and not self.encrypt:
            raise ConfigurationError("keyid is given without encrypt: true; nothing would be encrypted with it")

    def object_parameters(self) -> dict[str, str]:
        """Return what every object is written with, in boto3's words.

        What is the default of every bucket is not sent: stores that know no classes and no lists refuse them.
        """
        parameters = {}
        if self.objectacl != "private":
            parameters["ACL"] = self.objectacl
        if self.storageclass not in ("NONE", "STANDARD"):
            parameters["StorageClass"] = self.storageclass
        if self.keyid:
            parameters |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.keyid}
        elif self.encrypt:
            parameters["ServerSideEncryption"] = "AES256"
        return parameters

    def sizes(self) -> Sizes:
        """Raises ConfigurationError."""
        return Sizes(
            part=_number("chunksize", self.chunksize, SMALLEST_PART, LARGEST_PART),
            copy_part=_number("multipartcopychunksize", self.multipartcopychunksize, SMALLEST_PART, LARGEST_PART),
            copy_threshold=_number("multipartcopythresholdsize", self.multipartcopythresholdsize, 0, LARGEST_PART),
            copies_at_once=_number("multipartcopymaxconcurrency", self.multipartcopymaxconcurrency, 1, 10_000),
        )


def _number(name: str, value: object, least: int, most: int) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise ConfigurationError(f"{name} must be a whole number from {least} to {most}, not {value!r}")
    return int(text)
