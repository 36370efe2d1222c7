"""The registry under test and a repository of its own for each test, spoken to as any client would."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from registry_wsgi import mediatypes
from tests import wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

EMPTY_JSON = b"{}"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
SBOM = "application/vnd.example.sbom.v1"
SIGNATURE = "application/vnd.example.signature.v1"

CODES = frozenset(
    {
        "BLOB_UNKNOWN",
        "BLOB_UPLOAD_INVALID",
        "BLOB_UPLOAD_UNKNOWN",
        "DIGEST_INVALID",
        "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_INVALID",
        "MANIFEST_UNKNOWN",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "SIZE_INVALID",
        "UNAUTHORIZED",
        "DENIED",
        "UNSUPPORTED",
        "TOOMANYREQUESTS",
    }
)
"""All codes that the specification allows (code-1 to code-14)."""

_WARNING = re.compile(r'299 - "(?:[^"\\]|\\.)*"')
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

Object = dict[str, Any]


class Client(wire.Client):
    """A wire.Client for any URL: http or https, below a path, with a user and a password in it or not.

    Reads follow redirects, since the specification's status codes are those after them. Every
    response's Warning headers are checked on the way.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        super().__init__(url)
        self.root = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        self.credentials: dict[str, str] = {}
        if parts.username is not None:
            secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self.credentials = {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}

    def request(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> wire.Response:
        """Send one request. A target that begins with `/v2/` is below the registry's URL, any other as it stands."""
        url = self.root + target if target.startswith("/v2/") else urljoin(self.root + "/", target)
        answer = self._send(method, url, body, headers)
        while answer.status in _REDIRECTS and method in ("GET", "HEAD"):
            url = urljoin(url, answer.headers["Location"])
            answer = self._send(method, url, body, headers)
        check_warnings(answer)
        return answer

    def _send(
        self, method: str, url: str, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str] | None
    ) -> wire.Response:
        parts = urlsplit(url)
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        own = self.credentials if self.root.startswith(f"{parts.scheme}://{parts.netloc}") else {}
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        with closing(make(parts.netloc, timeout=60)) as connection:
            # A registry may answer before it has read everything, and close.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, {**own, **(headers or {})})
            answer = connection.getresponse()
            return wire.Response(answer.status, answer.headers, answer.read())


def check_warnings(answer: wire.Response) -> None:
    """Check the rules of "Warnings": warn-code 299, warn-agent `-`, no warn-date, 4096 bytes in all."""
    warnings = answer.headers.get_all("Warning", [])
    assert all(_WARNING.fullmatch(warning.strip()) for warning in warnings), warnings
    assert sum(len(warning.encode()) for warning in warnings) <= 4096


@dataclass(frozen=True)
class Target:
    """A registry: `required` where all that is optional must be there too, as in ours."""

    name: str
    client: Client
    required: bool

    def optional(self, supported: bool, feature: str) -> None:
        """Skip the rest of the test where the registry lacks something that it need not have."""
        if not supported:
            if self.required:
                pytest.fail(f"{feature} is missing", pytrace=False)
            pytest.skip(f"{feature} is optional, and not there")

    def repository(self, hint: str = "") -> Repo:
        return Repo(self, f"conformance/{hint or 'r'}{uuid.uuid4().hex}")


class Repo:
    """One repository. Pushes check their own success; what a test is about it asks `request` for."""

    def __init__(self, target: Target, name: str) -> None:
        self.target = target
        self.client = target.client
        self.name = name

    def path(self, rest: str) -> str:
        return f"/v2/{self.name}/{rest}"

    def request(
        self,
        method: str,
        rest: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> wire.Response:
        """Ask for something below the repository, such as `tags/list`."""
        return self.client.request(method, self.path(rest), body, headers)

    def assert_refused(self, answer: wire.Response, status: int | tuple[int, ...], *expected: str) -> None:
        """Check the status and the form of the error.

        Which code belongs to which refusal the specification leaves open, and ours does not.
        """
        statuses = (status,) if isinstance(status, int) else status
        assert answer.status in statuses, (answer.status, answer.body)
        found = codes(answer)
        if self.target.required and expected and answer.body:
            assert found, answer.body
            assert found[0] in expected, found

    # ── blobs ──

    def blob(self, digest: str, method: str = "GET", **headers: str) -> wire.Response:
        return self.request(method, f"blobs/{digest}", headers=headers)

    def push_blob(self, content: bytes, algorithm: str = "sha256") -> str:
        digest = digest_of(content, algorithm)
        self.client.push_blob(self.name, content, digest)
        return digest

    def start_upload(self) -> str:
        return self.client.start_upload(self.name)

    def patch(self, location: str, content: bytes | Iterable[bytes], content_range: str = "") -> wire.Response:
        headers = {"Content-Type": "application/octet-stream"}
        if content_range:
            headers["Content-Range"] = content_range
        return self.client.request("PATCH", location, content, headers)

    def close(self, location: str, digest: str, content: bytes = b"", content_range: str = "") -> wire.Response:
        """Close an upload session, with a last chunk if there is one."""
        headers = {"Content-Type": "application/octet-stream"} if content else {}
        if content_range:
            headers["Content-Range"] = content_range
        return self.client.request("PUT", wire.with_query(location, digest=digest), content, headers)

    # ── manifests ──

    def manifest(self, reference: str, method: str = "GET") -> wire.Response:
        return self.request(method, f"manifests/{reference}", headers=wire.ACCEPT_ALL)

    def put(self, reference: str, payload: bytes, media_type: str = "") -> wire.Response:
        media_type = media_type or json.loads(payload)["mediaType"]
        return self.request("PUT", f"manifests/{reference}", payload, {"Content-Type": media_type})

    def push(self, reference: str, payload: bytes, media_type: str = "") -> str:
        """Push a manifest and return its digest in the algorithm of `reference`, sha256 where that is a tag."""
        answer = self.put(reference, payload, media_type)
        assert answer.status == 201, (answer.status, answer.body)
        return reference if ":" in reference else digest_of(payload)

    def image(self, algorithm: str = "sha256", **members: Any) -> bytes:
        """Push a config and a layer nobody else has, and return a manifest of them; `members` go over its own."""
        layer = random_blob()
        self.push_blob(EMPTY_JSON, algorithm)
        self.push_blob(layer, algorithm)
        return image_of(EMPTY_JSON, layer, algorithm=algorithm, **members)

    def push_image(self, reference: str = "", **members: Any) -> tuple[str, bytes]:
        """Push an image and return its digest and its bytes; without a reference, push it by digest."""
        payload = self.image(**members)
        return self.push(reference or digest_of(payload), payload), payload

    def push_index(self, reference: str = "", **members: Any) -> tuple[str, bytes]:
        """Push an index of one fresh image and return its digest and its bytes."""
        payload = index_of(self.push_image()[1], **members)
        return self.push(reference or digest_of(payload), payload), payload

    # ── lists ──

    def tags(self, query: str = "") -> list[str]:
        answer = self.request("GET", f"tags/list{query}")
        assert answer.status == 200, (answer.status, answer.body)
        return answer.json()["tags"] or []

    def referrers(self, digest: str, artifact_type: str = "") -> wire.Response:
        """Ask for the referrers; a registry that has no such list need not have one."""
        query = f"?artifactType={artifact_type}" if artifact_type else ""
        answer = self.request("GET", f"referrers/{digest}{query}")
        self.target.optional(answer.status != 404, "the referrers API")
        return answer

    def referring(self, digest: str, artifact_type: str = "") -> list[str]:
        """Return the digests of the referrers, of all pages."""
        return [entry["digest"] for page in self.referrer_pages(digest, artifact_type) for entry in page["manifests"]]

    def referrer_pages(self, digest: str, artifact_type: str = "") -> list[Object]:
        answer = self.referrers(digest, artifact_type)
        pages = []
        for _ in range(100):
            assert answer.status == 200, (answer.status, answer.body)
            pages.append(answer.json())
            following = next_page(answer)
            if not following:
                return pages
            answer = self.client.request("GET", following)
        raise AssertionError("the pages have no end")


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def random_blob(size: int = 512) -> bytes:
    return os.urandom(size)


def unknown_digest(algorithm: str = "sha256") -> str:
    return digest_of(random_blob(), algorithm)


def descriptor(content: bytes, media_type: str, algorithm: str = "sha256", **members: Any) -> Object:
    return {"mediaType": media_type, "digest": digest_of(content, algorithm), "size": len(content), **members}


def image_of(config: bytes, /, *layers: bytes, algorithm: str = "sha256", **members: Any) -> bytes:
    """Return an OCI image manifest, indented as no registry's own serialiser would write it."""
    document = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_MANIFEST,
        "config": descriptor(config, CONFIG, algorithm),
        "layers": [descriptor(layer, LAYER, algorithm) for layer in layers],
        **members,
    }
    return json.dumps(document, indent=3).encode()


def index_of(*manifests: bytes, algorithm: str = "sha256", **members: Any) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": [descriptor(each, json.loads(each)["mediaType"], algorithm) for each in manifests],
        **members,
    }
    return json.dumps(document, indent=3).encode()


def referrer_tag(digest: str) -> str:
    """Return the tag of the referrers tag schema: each half cut to its length, other characters replaced."""
    algorithm, _, encoded = digest.partition(":")
    return re.sub(r"[^a-zA-Z0-9._-]", "-", f"{algorithm[:32]}-{encoded[:64]}")


def next_page(answer: wire.Response) -> str:
    """Return the target of the Link header, empty where there is none. Its relation must be `next` (RFC 8288)."""
    link = answer.headers["Link"]
    if link is None:
        return ""
    match = re.fullmatch(r'<([^>]+)>\s*;\s*rel="?next"?', link.strip())
    assert match is not None, link
    return match[1]


def codes(answer: wire.Response) -> list[str]:
    """Return the codes of an error; a body in JSON must be of the specification's form."""
    if not answer.body or answer.headers.get_content_type() != "application/json":
        return []
    document = answer.json()
    assert isinstance(document["errors"], list), document
    assert document["errors"], document
    found: Sequence[Object] = document["errors"]
    for error in found:
        assert re.fullmatch(r"[A-Z_]+", error["code"]), error
        assert isinstance(error.get("message", ""), str), error
    return [error["code"] for error in found]
