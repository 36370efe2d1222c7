"""One bucket: paths to keys, and the requests that the driver is made of, each one call of S3's API."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from registry_wsgi.errors import DriverError
from registry_wsgi_s3 import access
from registry_wsgi_s3.failures import translated
from registry_wsgi_s3.hot import HotCalls
from registry_wsgi_s3.records import Listed, Object, Part, Upload, described

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry_wsgi_s3.section import Section

BATCH = 1000
"""The keys that are listed, or deleted, with one request at most."""


class Bucket:
    """The objects below `rootdirectory`. `path` in errors is the storage path that a key stands for.

    Raises PathNotFound where the object or the upload is not there, and other DriverErrors once all tries failed.
    """

    def __init__(self, section: Section, driver: str) -> None:
        self.driver = driver
        self.name = section.bucket
        self.root = section.rootdirectory.strip("/")
        self._client = access.client(section)
        self._hot = HotCalls(self._client, section)
        self._written = section.object_parameters()

    def key(self, path: str) -> str:
        """Return the key of a path: registry:2 puts `rootdirectory` before it, without a slash at the start."""
        return f"{self.root}{path}".lstrip("/")

    def path(self, key: str) -> str:
        return f"/{key}".removeprefix(f"/{self.root}") if self.root else f"/{key}"

    # ── objects ──

    def put(self, key: str, content: bytes | bytearray | memoryview, **more: Any) -> str:
        """Write an object whole and return its entity tag. `more` are conditions, and metadata.

        With a checksum, since of a client that was killed after the head of its request SeaweedFS stores an empty
        object, in place of the one that was there.
        """
        checksum = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        with self._translated(key, "PutObject"):
            written = self._written | more | {"ContentMD5": checksum}
            return self._hot.ask("PutObject", key, written, content)[0]["etag"]

    def get(self, key: str, offset: int = 0, etag: str = "") -> tuple[Object, Any]:
        """Return what is known of an object and the stream of its bytes from the offset, which has to be closed."""
        asked = {"Range": f"bytes={offset}-"} if offset else {}
        asked |= {"IfMatch": etag} if etag else {}
        with self._translated(key, "GetObject"):
            answer, body = self._hot.ask("GetObject", key, asked)
            return described(answer, offset), body

    def content(self, key: str) -> tuple[Object, bytes]:
        """Return what is known of a small object and all its bytes."""
        with self._translated(key, "GetObject"):
            return self._whole(key)

    def _whole(self, key: str, tries: int = 3) -> tuple[Object, bytes]:
        """The client tries a request again by itself, but not the reading of what it answered."""
        answer, body = self._hot.ask("GetObject", key)
        try:
            with body:
                return described(answer), body.read()
        except (BotoCoreError, HTTPError, OSError):
            if tries == 1:
                raise
        return self._whole(key, tries - 1)

    def head(self, key: str) -> Object:
        with self._translated(key, "HeadObject"):
            return described(self._hot.ask("HeadObject", key)[0])

    def delete(self, keys: Sequence[str]) -> None:
        """Delete the objects, whether they are there or not, a thousand with one request."""
        if len(keys) == 1:
            with self._translated(keys[0], "DeleteObject"):
                self._client.delete_object(Bucket=self.name, Key=keys[0])
            return
        for start in range(0, len(keys), BATCH):
            batch = [{"Key": key} for key in keys[start : start + BATCH]]
            with self._translated(keys[start], "DeleteObjects"):
                answer = self._client.delete_objects(Bucket=self.name, Delete={"Objects": batch, "Quiet": True})
            for failed in answer.get("Errors", ()):
                reason = f"{self.path(failed['Key'])}: DeleteObjects: {failed.get('Code')} {failed.get('Message')}"
                raise DriverError(self.driver, reason)

    def list(self, prefix: str, *, after: str = "", token: str = "", limit: int = BATCH, delimiter: str = "") -> Listed:
        asked: dict[str, Any] = {"Delimiter": delimiter} if delimiter else {}
        asked |= {"ContinuationToken": token} if token else {"StartAfter": after} if after else {}
        with self._translated(prefix, "ListObjectsV2"):
            answer = self._client.list_objects_v2(Bucket=self.name, Prefix=prefix, MaxKeys=limit, **asked)
        return Listed(
            keys=[each["Key"] for each in answer.get("Contents", ())],
            prefixes=[each["Prefix"] for each in answer.get("CommonPrefixes", ())],
            token=answer.get("NextContinuationToken", "") if answer.get("IsTruncated") else "",
        )

    def copy(self, source: str, target: str, etag: str) -> None:
        with self._translated(source, "CopyObject"):
            self._client.copy_object(
                Bucket=self.name, Key=target, CopySource=self._source(source), CopySourceIfMatch=etag, **self._written
            )

    def url(self, operation: str, key: str, seconds: int, signer: Any = None) -> str:
        """Return a URL for one request of another client; `signer` is the client of the endpoint that it goes to."""
        with self._translated(key, "signing"):
            return str(
                (signer or self._client).generate_presigned_url(
                    operation, Params={"Bucket": self.name, "Key": key}, ExpiresIn=seconds
                )
            )

    # ── multipart uploads ──

    def begin(self, key: str) -> str:
        """Begin a multipart upload and return its id."""
        with self._translated(key, "CreateMultipartUpload"):
            return str(self._client.create_multipart_upload(Bucket=self.name, Key=key, **self._written)["UploadId"])

    def put_part(self, key: str, upload: str, number: int, content: bytes | bytearray) -> Part:
        with self._translated(key, "UploadPart"):
            answer, _ = self._hot.ask("UploadPart", key, {"UploadId": upload, "PartNumber": number}, content)
        return Part(len(content), answer["etag"])

    def copy_part(self, source: str, etag: str, *, key: str, upload: str, number: int, start: int, end: int) -> Part:
        """Make the bytes of `source` from `start` up to `end` a part; the source has to have the entity tag."""
        with self._translated(key, "UploadPartCopy"):
            answer = self._client.upload_part_copy(
                Bucket=self.name,
                Key=key,
                UploadId=upload,
                PartNumber=number,
                CopySource=self._source(source),
                CopySourceRange=f"bytes={start}-{end - 1}",
                CopySourceIfMatch=etag,
            )
        return Part(end - start, answer["CopyPartResult"]["ETag"])

    def complete(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        named = [{"PartNumber": number, "ETag": part.etag} for number, part in enumerate(parts, 1)]
        with self._translated(key, "CompleteMultipartUpload"):
            self._client.complete_multipart_upload(
                Bucket=self.name, Key=key, UploadId=upload, MultipartUpload={"Parts": named}
            )

    def abort(self, key: str, upload: str) -> None:
        with self._translated(key, "AbortMultipartUpload"):
            self._client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload)

    def parts(self, key: str, upload: str) -> dict[int, tuple[Part, float]]:
        """Return the parts that the store has by their numbers, each with the time when it came."""
        with self._translated(key, "ListParts"):
            pages = self._client.get_paginator("list_parts").paginate(Bucket=self.name, Key=key, UploadId=upload)
            return {
                each["PartNumber"]: (Part(each["Size"], each["ETag"]), each["LastModified"].timestamp())
                for page in pages
                for each in page.get("Parts", ())
            }

    def uploads(self, prefix: str) -> Iterator[Upload]:
        """Yield the multipart uploads in progress whose keys begin with `prefix`, in any order."""
        with self._translated(prefix, "ListMultipartUploads"):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.name, Prefix=prefix)
            for page in pages:
                for each in page.get("Uploads", ()):
                    yield Upload(each["UploadId"], each["Key"], each["Initiated"].timestamp())

    def _source(self, key: str) -> dict[str, str]:
        return {"Bucket": self.name, "Key": key}

    def _translated(self, key: str, operation: str) -> Any:
        return translated(self.driver, self.path(key), operation)
