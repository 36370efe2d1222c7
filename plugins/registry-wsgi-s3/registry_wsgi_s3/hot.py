"""The calls that a registry makes all day, without what boto3 does around each: GET, HEAD, PUT and UploadPart.

A call of boto3 takes two to three milliseconds of the processor, for events, validation, endpoints and parsers that
these four have no need of. Here a request is described by botocore's own model, signed by its own signer and sent over
connections that stay open.

Only the first try is made here. What is neither a success nor a plain refusal, such as a store that fails or cannot be
reached, credentials that have expired, another region or an unknown error, is asked again through boto3, with its
retries and its errors; so there is one set of rules for failures.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from botocore.auth import UNSIGNED_PAYLOAD, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from registry_wsgi_s3 import access
from registry_wsgi_s3.failures import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from registry_wsgi_s3.section import Section

    Content = bytes | bytearray | memoryview
    Answer = tuple[Mapping[str, str], Any]

_OPERATIONS: Final = {
    "GetObject": ("GET", "get_object"),
    "HeadObject": ("HEAD", "head_object"),
    "PutObject": ("PUT", "put_object"),
    "UploadPart": ("PUT", "upload_part"),
}
NONE: Final[Mapping[str, Any]] = {}
_EXPRESS: Final = "--x-s3"
"""How the names of buckets end to which one logs in first."""
_PIECE: Final = 256 * 1024
"""Bytes that are given to the socket at a time, each of which may take as long as a connection may."""
_BUSY: Final = 429
_FAILURE: Final = 500
_SUCCESS: Final = range(200, 300)
_CODE: Final = re.compile(rb"<Code>([A-Za-z]+)</Code>")


class HotCalls:
    """Calls of one bucket. Raises what boto3 raises."""

    def __init__(self, client: Any, section: Section) -> None:
        self._client = client
        self._section = section

    def ask(self, operation: str, key: str, parameters: Mapping[str, Any] = NONE, content: Content = b"") -> Answer:
        """Return the headers, with names in lower case, and the body; that of GetObject is a stream to be closed.

        `parameters` are boto3's.
        """
        answer = self._first_try(operation, key, content, parameters)
        if answer is not None:
            return answer
        call = getattr(self._client, _OPERATIONS[operation][1])
        body = {"Body": content} if _OPERATIONS[operation][0] == "PUT" else {}
        found = call(Bucket=self._section.bucket, Key=key, **body, **parameters)
        return found["ResponseMetadata"]["HTTPHeaders"], found.get("Body")

    def _first_try(self, operation: str, key: str, content: Content, parameters: Mapping[str, Any]) -> Answer | None:
        """Return None where boto3 has to ask."""
        try:
            place = self._place
            if place is None:
                return None
            response = place.send(_OPERATIONS[operation][0], key, content, *self._written(operation, parameters))
            if response.status in _SUCCESS:
                return {name.lower(): value for name, value in response.headers.items()}, response
            code = _refusal(response)
        except (BotoCoreError, HTTPError, OSError):
            return None
        if code in PLAIN:
            raise ClientError({"Error": {"Code": code, "Message": ""}}, operation)
        if response.status == _BUSY or response.status >= _FAILURE:
            time.sleep(random.random())  # noqa: S311 - as botocore does before its second try
        return None

    @cached_property
    def _place(self) -> _Place | None:
        """Where the bucket is, as botocore resolves it; None where only botocore knows how to speak to it."""
        credentials = access.credentials(self._section)
        if credentials is None or self._section.bucket.endswith(_EXPRESS):
            return None
        url = self._client.generate_presigned_url("get_object", Params={"Bucket": self._section.bucket, "Key": "k"})
        parts = urlsplit(url)
        scope = parse_qs(parts.query).get("X-Amz-Credential", [""])[0].split("/")
        if scope[-2:] != ["s3", "aws4_request"] or parts.scheme in get_environ_proxies(url):
            return None
        return _Place(self._section, f"{parts.scheme}://{parts.netloc}", parts.path[:-1], scope[-3], credentials)

    def _written(self, operation: str, parameters: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        """Return the query and the headers of a request, as the model of the service has them."""
        members = _members(self._client.meta.service_model, operation)
        query: list[tuple[str, str]] = []
        headers = {"User-Agent": self._client.meta.config.user_agent}
        for name, value in parameters.items():
            location, written = members[name]
            if location == "querystring":
                query.append((written, str(value)))
            elif location == "headers":
                headers |= {f"{written}{each}": text for each, text in value.items()}
            else:
                headers[written] = str(value)
        return urlencode(query, quote_via=quote, safe="~"), headers


class _Place:
    """A bucket, the connections to it and the credentials for it."""

    def __init__(self, section: Section, origin: str, prefix: str, region: str, credentials: Any) -> None:
        self._origin = origin
        self._prefix = prefix
        self._region = region
        self._credentials = credentials
        self._signs_content = origin.startswith("http:")
        self._pool = access.connections(section, origin)

    def send(self, method: str, key: str, content: Content, query: str, headers: dict[str, str]) -> Any:
        target = f"{self._prefix}{quote(key, safe='/~-_.')}" + (f"?{query}" if query else "")
        request = AWSRequest(method, self._origin + target, headers)
        signer = _Signer(self._credentials.get_frozen_credentials(), "s3", self._region)
        # TLS sees to it that nobody changes the content on its way.
        signer.content = content if self._signs_content else None
        signer.add_auth(request)
        signed = dict(request.headers.items())
        if method == "PUT":
            signed["Content-Length"] = str(len(content))
        return self._pool.urlopen(
            method,
            target,
            body=_pieces(content) if content else None,
            headers=signed,
            retries=False,
            redirect=False,
            preload_content=method != "GET",
            decode_content=False,
        )


class _Signer(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    content: Content | None

    def payload(self, request: Any) -> str:  # noqa: ARG002
        """Return what stands for the content in the signature; botocore would copy the content to find out."""
        return UNSIGNED_PAYLOAD if self.content is None else hashlib.sha256(self.content).hexdigest()


def _pieces(content: Content) -> Iterator[Any]:
    view = memoryview(content)
    for start in range(0, len(view), _PIECE):
        yield view[start : start + _PIECE]


def _refusal(response: Any) -> str:
    """Return the code of an error; botocore takes the status for it where there is no content."""
    found = _CODE.search(response.data)
    return found[1].decode() if found else str(response.status)


@cache
def _members(service: Any, operation: str) -> dict[str, tuple[str, str]]:
    """Return where in a request each parameter is, and by which name."""
    shape = service.operation_model(operation).input_shape
    written = {name: member.serialization for name, member in shape.members.items()}
    return {name: (each.get("location", ""), each.get("name", "")) for name, each in written.items()}
