"""Strategies for requests that no client should send: every route, with anything in every place."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

from hypothesis import strategies as st

from registry_wsgi import mediatypes
from tests.conformance.target import EMPTY_JSON, SBOM, descriptor, digest_of, image_of, index_of

if TYPE_CHECKING:
    from registry_wsgi.interfaces import WSGIApplication

KEPT = "kept/image"
KEPT_LAYER = b"a layer that has to outlive everything"
KEPT_IMAGE = image_of(EMPTY_JSON, KEPT_LAYER, annotations={"kept": "yes"})
UUID = "00000000-0000-4000-8000-000000000000"
LARGE = "9" * 30

# A server hands on the bytes of a request as characters of Latin-1 (PEP 3333).
latin = st.text(st.characters(max_codepoint=255), max_size=40)
ascii_letters = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", min_size=1, max_size=10)
digests = st.one_of(
    st.sampled_from(
        [
            digest_of(KEPT_IMAGE),
            digest_of(KEPT_LAYER),
            digest_of(KEPT_LAYER, "sha512"),
            digest_of(b"absent"),
            "sha256:",
            "sha256:" + "0" * 63,
            "sha256:" + "A" * 64,
            "md5:" + "0" * 32,
            "sha256:" + "0" * 64 + "\n",
            ":",
        ]
    ),
    latin,
)
names = st.one_of(
    st.sampled_from(
        [KEPT, "other", "a" * 255, "a" * 256, "../..", "a/../b", "A", "_x", "a//b", "a\n", "\xc3\xbc", "a%2fb"]
    ),
    latin,
)
references = st.one_of(st.sampled_from(["v1", "latest", "v" * 129, ".", "..", "v1\n", "-"]), digests)
upload_ids = st.one_of(st.sampled_from([UUID, UUID.upper(), "..", UUID + "\n", UUID[:-1]]), latin)

paths = st.one_of(
    st.sampled_from(["", "/", "/v2", "/v2/", "//v2/", "/v2//", "/v2/_catalog", "/v2/_catalog/", "/V2/", "/v1/", "*"]),
    st.builds("/v2/{}/tags/list".format, names),
    st.builds("/v2/{}/manifests/{}".format, names, references),
    st.builds("/v2/{}/blobs/{}".format, names, digests),
    st.sampled_from(["/v2/{}/blobs/uploads", "/v2/{}/blobs/uploads/"]).flatmap(lambda t: st.builds(t.format, names)),
    st.builds("/v2/{}/blobs/uploads/{}".format, names, upload_ids),
    st.builds("/v2/{}/referrers/{}".format, names, digests),
    st.builds("/v2/{}".format, latin),
    latin,
)
methods = st.one_of(
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]),
    st.sampled_from(["OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "PRI"]),
    ascii_letters,
)

numbers = st.sampled_from(["0", "1", "-1", "+1", "1.5", "1e3", "0x1", " 5 ", LARGE, "\xb2", "", "many", "1_000"])
_values = {
    "n": numbers,
    "last": latin,
    "digest": digests,
    "digest-algorithm": st.one_of(st.sampled_from(["sha512", "sha256", "SHA512", "md5", "shake_128"]), latin),
    "mount": digests,
    "from": names,
    "tag": st.one_of(st.sampled_from(["v1", "v2", ".bad", "a,b", "x\r\ny"]), latin),
    "artifactType": latin,
    "ns": latin,
    "_state": latin,
}
_pairs = st.sampled_from(sorted(_values)).flatmap(lambda key: st.tuples(st.just(key), _values[key]))


def _query(pairs: list[tuple[str, str]], encoded: bool) -> str:
    return "&".join(f"{key}={quote_from_bytes(value.encode('latin-1')) if encoded else value}" for key, value in pairs)


queries = st.one_of(st.builds(_query, st.lists(_pairs, max_size=3), st.booleans()), latin)

_ranges = st.sampled_from(
    [
        "bytes=0-0",
        "bytes=0-",
        "bytes=-1",
        "bytes=-0",
        "bytes=5-1",
        "bytes=-",
        "bytes=,",
        f"bytes={LARGE}-{LARGE}",
        f"bytes=0-{LARGE}",
        f"bytes=-{LARGE}",
        "bytes=0-0,1-1,2-2",
        "bytes=" + "0-1," * 500,
        "lines=1-2",
        "bytes=\xb2-\xb3",
        "0-4",
        "0-0",
        f"0-{LARGE}",
        f"{LARGE}-{LARGE}",
        "5-0",
        "bytes 0-4/5",
        "bytes */5",
    ]
)
_types = st.sampled_from(
    [
        *sorted(mediatypes.MANIFESTS),
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/html; charset=\xff",
        "a/b;" * 100,
        "*/*",
        "*/*;q=0",
        "application/*;q=x",
        ";;;",
        "",
    ]
)
_headers = {
    "HTTP_RANGE": _ranges,
    "HTTP_CONTENT_RANGE": _ranges,
    "HTTP_IF_RANGE": st.sampled_from(["", '"x"', "W/", '"', "Mon, 99 Foo 2026 00:00:00 GMT"]),
    "HTTP_ACCEPT": st.one_of(_types, latin),
    "HTTP_IF_NONE_MATCH": st.sampled_from(["*", '"', 'W/"x"', f'"{digest_of(KEPT_LAYER)}"', ",,,", '"a' * 200]),
    "HTTP_IF_MATCH": st.sampled_from(["*", '"', "", '"x", "y"']),
    "CONTENT_TYPE": _types,
    "CONTENT_LENGTH": numbers,
    "HTTP_TRANSFER_ENCODING": st.sampled_from(["chunked", "gzip, chunked", "identity", "Chunked, chunked", ""]),
    "HTTP_EXPECT": st.sampled_from(["100-continue", "x"]),
    "HTTP_CONTENT_ENCODING": st.sampled_from(["gzip", "x"]),
    "HTTP_HOST": st.sampled_from(["", "a b", "[::1", "a:b", "a\xff", "x" * 300, "a:99999999"]),
    "HTTP_FORWARDED": st.sampled_from(["for=x;proto=;host=", ";;;", "host=\xff"]),
    "HTTP_X_FORWARDED_PROTO": latin,
    "HTTP_X_FORWARDED_HOST": latin,
    "HTTP_AUTHORIZATION": st.sampled_from(["Basic", "Basic ====", "Bearer \xff", "Digest x=,,", "Basic " + "A" * 999]),
    "HTTP_COOKIE": latin,
    "HTTP_X_HTTP_METHOD_OVERRIDE": st.sampled_from(["DELETE", "x"]),
    "HTTP_USER_AGENT": latin,
    "HTTP_X_REQUEST_ID": latin,
    "wsgi.input_terminated": st.booleans(),
    "SERVER_PROTOCOL": st.sampled_from(["HTTP/1.0", "HTTP/1.1", "HTTP/2", "x"]),
}
headers = st.lists(st.sampled_from(sorted(_headers)), max_size=4, unique=True).flatmap(
    lambda chosen: st.fixed_dictionaries({name: _headers[name] for name in chosen})
)

# ── manifests ─────────────────────────────────────────────────────────────────────────────────

# Half of a surrogate pair can be written in JSON, and in no encoding.
_strings = st.one_of(st.text(st.characters(exclude_categories=()), max_size=10), digests, _types)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _strings, st.just(10**400)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_strings, inner, max_size=3)),
    max_leaves=6,
)
VALID: tuple[dict[str, Any], ...] = (
    json.loads(KEPT_IMAGE),
    json.loads(index_of(KEPT_IMAGE, artifactType=SBOM)),
    {
        **json.loads(image_of(EMPTY_JSON, annotations={"a": "b"}, artifactType=SBOM)),
        "subject": descriptor(KEPT_IMAGE, mediatypes.OCI_MANIFEST),
    },
    {
        "schemaVersion": 1,
        "name": KEPT,
        "tag": "v1",
        "architecture": "amd64",
        "fsLayers": [{"blobSum": digest_of(KEPT_LAYER)}],
        "history": [{"v1Compatibility": "{}"}],
        "signatures": [{"header": {"jwk": {}, "alg": "ES256"}, "signature": "x", "protected": "e30"}],
    },
)


@st.composite
def mutated_manifests(draw: st.DrawFn) -> bytes:
    """Change a few members of a valid manifest, at any depth, and perhaps the bytes of its JSON too."""
    document = json.loads(json.dumps(draw(st.sampled_from(VALID))))
    for _ in range(draw(st.integers(1, 3))):
        parent: Any = document
        while True:
            keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(parent[key], dict | list) and draw(st.booleans()):
                parent = parent[key]
                continue
            if draw(st.integers(0, 3)) == 0:
                del parent[key]
            else:
                parent[key] = draw(json_values)
            break
        if isinstance(parent, dict) and draw(st.booleans()):
            parent[draw(st.sampled_from(["subject", "manifests", "annotations", "artifactType", "urls", "x"]))] = draw(
                json_values
            )
    payload = json.dumps(document).encode()
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(payload)))
        payload = payload[:at] + draw(st.binary(max_size=8)) + payload[at + draw(st.integers(0, 8)) :]
    return payload


_NESTED = b'{"schemaVersion":2,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
bodies = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([b"", KEPT_IMAGE, KEPT_LAYER, _NESTED, b"\xef\xbb\xbf{}", b"\x1f\x8b\x08", b'{"schemaVersion":2}']),
    mutated_manifests(),
)

# ── asking ────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


def ask(app: WSGIApplication, method: str, path: str, query: str, body: bytes, extra: dict[str, Any]) -> Answer:
    """Call the application as a server would that checks nothing."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "CONTENT_TYPE": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **extra,
    }
    answer = Answer()

    def start_response(status: str, given: list[tuple[str, str]], exc_info: object = None) -> Any:
        answer.status, answer.headers = int(status[:3]), given
        return lambda _: None

    chunks = app(environ, start_response)
    try:
        answer.body = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    return answer
