"""The table of bad input: see test_bad_input.py for what is asked with each row and held afterwards."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, Any

from registry_wsgi import mediatypes
from tests.stack import image_manifest
from tests.wire import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Body = bytes | Sequence[bytes]
    """Bytes go out with their length, a sequence of them chunked."""

CONFIG, LAYER, BEGUN = b"{}", b"layer", b"begun"
IMAGE = image_manifest(digest_of(CONFIG), digest_of(LAYER))
WRONG, ABSENT = digest_of(b"wrong"), digest_of(b"absent")
NO_UPLOAD = "00000000-0000-4000-8000-000000000000"
LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True)
class Row:
    """A request to a repository with an image and an upload begun, and what must come of it.

    `target`, `headers` and `answers` (headers of the response) may name the {name} of the repository, the
    {upload}'s Location and its {id}. A response without a `code` is no error. `details` are those of all errors.
    `left` is what the upload holds afterwards, None if it shall be unknown. `broken_off` is a body whose
    client dies before its end. Without `deletes` deletion is off.
    """

    what: str
    request: str
    status: int
    code: str = ""
    body: Body = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    details: Sequence[object] | None = None
    left: bytes | None = BEGUN
    broken_off: bool = False
    deletes: bool = True


def manifest(**members: Any) -> bytes:
    """Return the image's manifest with other members; None takes one out."""
    document = json.loads(IMAGE) | members
    return json.dumps({name: value for name, value in document.items() if value is not None}).encode()


def described(**members: Any) -> bytes:
    """Return the image's manifest whose only layer has other members; None takes one out."""
    layer = json.loads(IMAGE)["layers"][0] | members
    return manifest(layers=[{name: value for name, value in layer.items() if value is not None}])


def uploads(what: str, request: str, status: int, code: str, **more: Any) -> Row:
    return Row(f"upload: {what}", request, status, code, **more)


def pushes(what: str, body: Body, status: int = 400, code: str = "MANIFEST_INVALID", **more: Any) -> Row:
    headers = {"Content-Type": more.pop("media_type", mediatypes.OCI_MANIFEST)} | more.pop("headers", {})
    request = f"PUT /v2/{{name}}/manifests/{more.pop('reference', 'v2')}"
    return Row(f"manifest: {what}", request, status, code, body, headers, **more)


def reads(what: str, request: str, status: int, code: str, **more: Any) -> Row:
    return Row(f"{what}: {request}", request, status, code, **more)


INDEX = manifest(mediaType=mediatypes.OCI_INDEX, config=None, layers=None, manifests=[])
OUT_OF_ORDER: dict[str, Any] = {"answers": {"Range": "0-4", "Location": "{upload}", "Docker-Upload-UUID": "{id}"}}

UPLOADS = [
    uploads("a wrong digest", f"PUT {{upload}}?digest={WRONG}", 400, "DIGEST_INVALID", body=b"more", left=None),
    uploads("a wrong digest and no body", f"PUT {{upload}}?digest={WRONG}", 400, "DIGEST_INVALID", left=None),
    # Nobody can tell whether a chunked body was whole, so what came before it is kept.
    uploads(
        "a wrong digest after a chunked body",
        f"PUT {{upload}}?digest={WRONG}",
        400,
        "DIGEST_INVALID",
        body=[b"more"],
        left=BEGUN + b"more",
    ),
    uploads(
        "a wrong digest in a single post",
        f"POST /v2/{{name}}/blobs/uploads/?digest={WRONG}",
        400,
        "DIGEST_INVALID",
        body=b"content",
    ),
    uploads("no digest", "PUT {upload}", 400, "DIGEST_INVALID", body=b"more"),
    uploads("an empty digest", "PUT {upload}?digest=", 400, "DIGEST_INVALID", body=b"more"),
    *(
        uploads(f"the digest {digest!r}", f"PUT {{upload}}?digest={digest}", 400, "DIGEST_INVALID", body=b"more")
        for digest in (
            "sha256:abc",
            "sha256:",
            digest_of(BEGUN).upper(),
            digest_of(BEGUN) + "0",
            digest_of(BEGUN) + "%0a",
            f"%20{digest_of(BEGUN)}",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "..%2F..%2Fx:00",
            "nonsense",
        )
    ),
    uploads(
        "a bad digest in a single post",
        "POST /v2/{name}/blobs/uploads/?digest=sha256:abc",
        400,
        "DIGEST_INVALID",
        body=b"content",
    ),
    *(
        uploads(
            f"the Content-Range {given!r} in a {method}",
            f"{method} {{upload}}?digest={digest_of(BEGUN + b'more')}",
            416,
            "BLOB_UPLOAD_INVALID",
            body=body,
            headers={"Content-Range": given},
            **OUT_OF_ORDER,
        )
        for (method, body), given in zip(
            cycle([("PATCH", b"more"), ("PUT", b"more"), ("PATCH", [b"more"]), ("PUT", [b"more"]), ("PATCH", b"")]),
            ("0-3", "4-7", "6-9", "5-4", "bytes 0-3/9", "more", "5", "-5", "5-", "5-8-9", "lines=5-8", "", "0-0"),
        )
    ),
    *(
        uploads(
            f"a Content-Range of another length in a {method}",
            f"{method} {{upload}}?digest={digest_of(BEGUN + b'more')}",
            400,
            "SIZE_INVALID",
            body=b"more",
            headers={"Content-Range": given},
        )
        for method, given in (("PATCH", "5-7"), ("PUT", "5-9"), ("PATCH", "5-9999999999999999999"))
    ),
    uploads(
        "a chunked body longer than its Content-Range",
        "PATCH {upload}",
        400,
        "SIZE_INVALID",
        body=[b"more"],
        headers={"Content-Range": "5-7"},
    ),
    uploads(
        "a chunked body shorter than its Content-Range",
        "PATCH {upload}",
        400,
        "SIZE_INVALID",
        body=[b"more"],
        headers={"Content-Range": "5-9"},
        left=BEGUN + b"more",
    ),
    *(
        uploads(
            f"the id {upload_id!r} in a {method}",
            f"{method} /v2/{{name}}/blobs/uploads/{upload_id}?digest={WRONG}",
            404,
            "BLOB_UPLOAD_UNKNOWN",
        )
        for method, upload_id in [
            *((method, NO_UPLOAD) for method in ("GET", "HEAD", "PATCH", "PUT", "DELETE")),
            *zip(
                cycle(["GET", "PATCH", "PUT", "DELETE"]),
                ("..", "%2e%2e", ".", "not-a-uuid", "{id}%00", "{id}%0a", "%7B{id}%7D", "{id}0", "0" * 5000),
            ),
        ]
    ),
    uploads("an id that leads out", "DELETE /v2/{name}/blobs/uploads/..%2F..%2F_layers", 404, "NAME_UNKNOWN"),
    uploads(
        "the id of another repository",
        f"PUT /v2/{{name}}/other/blobs/uploads/{{id}}?digest={digest_of(BEGUN)}",
        404,
        "BLOB_UPLOAD_UNKNOWN",
    ),
    *(
        Row(f"mount: {query}", f"POST /v2/{{name}}/blobs/uploads/?{query}", 202)
        for query in (
            f"mount={ABSENT}&from={{name}}",
            f"mount={digest_of(LAYER)}&from=bad/nowhere",
            f"mount={digest_of(LAYER)}&from=..%2F{{name}}",
            f"mount={digest_of(LAYER)}&from=%00",
            "mount=sha256:abc&from={name}",
            "mount=..&from={name}",
        )
    ),
    uploads(
        "a PUT that says it is a form",
        f"PUT {{upload}}?digest={digest_of(BEGUN + b'a=b&digest=c')}",
        201,
        "",
        body=b"a=b&digest=c",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        left=None,
    ),
    uploads(
        "a digest in a form",
        "PUT {upload}",
        400,
        "DIGEST_INVALID",
        body=f"digest={digest_of(BEGUN)}".encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ),
    uploads(
        "a PATCH that says it is a form of many parts",
        "PATCH {upload}",
        202,
        "",
        body=b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--',
        headers={"Content-Type": "multipart/form-data; boundary=x"},
        left=BEGUN + b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--',
    ),
]

MANIFESTS = [
    pushes("over 4 MiB", IMAGE + b" " * LIMIT, 413),
    pushes("over 4 MiB, chunked", [IMAGE, b" " * LIMIT, b" "], 413),
    pushes(
        "a missing config",
        manifest(config=json.loads(IMAGE)["config"] | {"digest": ABSENT}),
        400,
        "MANIFEST_BLOB_UNKNOWN",
        details=[ABSENT],
    ),
    pushes(
        "several missing blobs, one of them twice",
        image_manifest(ABSENT, WRONG, digest_of(LAYER), ABSENT),
        400,
        "MANIFEST_BLOB_UNKNOWN",
        details=[ABSENT, WRONG],
    ),
    pushes(
        "an index of missing manifests and of a layer",
        manifest(
            mediaType=mediatypes.OCI_INDEX,
            config=None,
            layers=None,
            manifests=[
                {"mediaType": mediatypes.OCI_MANIFEST, "size": 1, "digest": digest}
                for digest in (ABSENT, digest_of(IMAGE), digest_of(LAYER))
            ],
        ),
        400,
        "MANIFEST_BLOB_UNKNOWN",
        media_type=mediatypes.OCI_INDEX,
        details=[ABSENT, digest_of(LAYER)],
    ),
    pushes("another digest than its own", IMAGE, 400, "DIGEST_INVALID", reference=WRONG),
    pushes("another sha512 than its own", IMAGE, 400, "DIGEST_INVALID", reference="sha512:" + "0" * 128),
    *(
        pushes(what, payload)
        for what, payload in {
            "nothing": b"",
            "broken JSON": IMAGE[:-1],
            "JSON and more": IMAGE + b"{}",
            "no object": b"[]",
            "null": b"null",
            "deep nesting": b'{"a":' * 100_000,
            "deep lists": b"[" * 1_000_000,
            "a number of many digits": manifest()[:-1] + b', "n": ' + b"9" * 10_000 + b"}",
            "NaN": manifest(annotations=float("nan")),
            "Infinity": manifest(annotations=float("inf")),
            "no UTF-8": manifest()[:-1] + b', "a": "\xff"}',
            "UTF-16": IMAGE.decode().encode("utf-16"),
            "a byte order mark": b"\xef\xbb\xbf" + IMAGE,
            "no schemaVersion": manifest(schemaVersion=None),
            "schemaVersion 1": manifest(schemaVersion=1),
            "schemaVersion 2.0": manifest(schemaVersion=2.0),
            "schemaVersion true": manifest(schemaVersion=True),
            "schemaVersion '2'": manifest(schemaVersion="2"),
            "the mediaType of an index": manifest(mediaType=mediatypes.OCI_INDEX),
            "the mediaType of Docker": manifest(mediaType=mediatypes.DOCKER_MANIFEST),
            "a mediaType that is a list": manifest(mediaType=[mediatypes.OCI_MANIFEST]),
            "an image with manifests (CVE-2021-41190)": manifest(manifests=[]),
            "no config": manifest(config=None),
            "a config that is a list": manifest(config=[]),
            "no layers": manifest(layers=None),
            "layers that are an object": manifest(layers={}),
            "a layer that is a digest": manifest(layers=[digest_of(LAYER)]),
            "a negative size": described(size=-1),
            "a size in text": described(size="1"),
            "a size with a point": described(size=1.0),
            "a size that is true": described(size=True),
            "no size": described(size=None),
            "a malformed digest": described(digest="sha256:abc"),
            "an unsupported algorithm": described(digest="md5:d41d8cd98f00b204e9800998ecf8427e"),
            "a digest that leads out": described(digest="sha256:../../../../etc/passwd"),
            "a digest that is a number": described(digest=5),
            "no digest": described(digest=None),
            "no mediaType of a layer": described(mediaType=None),
            "a bad subject": manifest(subject={"digest": ABSENT}),
            "an artifactType that is a number": manifest(artifactType=5),
        }.items()
    ),
    *(
        pushes(
            f"an index with {member} (CVE-2021-41190)",
            json.dumps(json.loads(INDEX) | {member: []}).encode(),
            media_type=mediatypes.OCI_INDEX,
        )
        for member in ("layers", "config")
    ),
    pushes("an image sent as an index", IMAGE, media_type=mediatypes.OCI_INDEX),
    pushes("an index sent as an image", INDEX),
    pushes("a Docker image without its mediaType", manifest(mediaType=None), media_type=mediatypes.DOCKER_MANIFEST),
    pushes("schema 1", IMAGE, media_type="application/vnd.docker.distribution.manifest.v1+prettyjws"),
    pushes("an unknown type", IMAGE, media_type="text/plain"),
    pushes("a form", b"a=b", media_type="application/x-www-form-urlencoded"),
]

BAD_NAMES = [
    "UPPER",
    "a//b",
    "/a",
    "a/",
    "a/../b",
    "..",
    "%2e%2e",
    "a/%2e%2e/b",
    "a%2F..%2Fb",
    "a/./b",
    ".a",
    "a.",
    "a..b",
    "a/-b",
    "a___b",
    "_layers",
    "a/_uploads",
    "a%00",
    "a%00b",
    "a%0a",
    "a%0d%0aX-Injected:%20yes",
    "a%20b",
    "a%5Cb",
    "a:5000/b",
    "%C3%A4",
    "%FF",
    "a" * 256,
    "/".join(["a"] * 129),
]
BAD_TAGS = [".", "..", "%2e%2e", "-a", ".a", "a%00", "a%0a", "%0aa", "a%20b", "a%2Cb", "%C3%A4", "%FF", "a" * 129, "@"]
BAD_DIGESTS = [
    "sha256:abc",
    "sha256:" + "g" * 64,
    "sha256:" + "A" * 64,
    "sha256:" + "0" * 65,
    "sha512:" + "0" * 64,
    "md5:d41d8cd98f00b204e9800998ecf8427e",
    ":",
    "sha256:..%0a",
    f"{WRONG}%0a",
    f"{WRONG}%00",
]

GRAMMAR = [
    *(
        reads("name", request.replace("{bad}", name), 400, "NAME_INVALID")
        for name, request in zip(
            BAD_NAMES,
            cycle(
                [
                    "GET /v2/{bad}/tags/list",
                    "POST /v2/{bad}/blobs/uploads/",
                    f"HEAD /v2/{{bad}}/blobs/{WRONG}",
                    "PUT /v2/{bad}/manifests/v1",
                    f"DELETE /v2/{{bad}}/manifests/{WRONG}",
                    f"GET /v2/{{bad}}/blobs/uploads/{NO_UPLOAD}",
                ]
            ),
        )
    ),
    *(
        reads("tag", f"{method} /v2/{{name}}/manifests/{tag}", 404, "MANIFEST_UNKNOWN")
        for tag, method in zip(BAD_TAGS, cycle(["GET", "DELETE", "HEAD"]))
    ),
    *(pushes(f"the tag {tag!r}", IMAGE, 400, "MANIFEST_INVALID", reference=tag) for tag in BAD_TAGS),
    *(
        reads("digest", f"{method} /v2/{{name}}/{kind}/{digest}", 400, "DIGEST_INVALID")
        for kind in ("blobs", "manifests")
        for digest, method in zip(BAD_DIGESTS, cycle(["GET", "DELETE", "HEAD"]))
    ),
    *(pushes(f"the digest {digest!r}", IMAGE, 400, "DIGEST_INVALID", reference=digest) for digest in BAD_DIGESTS),
]

READS = [
    *(
        reads("absent", f"{method} /v2/{{name}}/blobs/{ABSENT}", 404, "BLOB_UNKNOWN")
        for method in ("GET", "HEAD", "DELETE")
    ),
    *(
        reads("absent", f"{method} /v2/{{name}}/manifests/{reference}", 404, "MANIFEST_UNKNOWN")
        for method in ("GET", "HEAD", "DELETE")
        for reference in ("v2", ABSENT)
    ),
    reads("absent", "GET /v2/{name}/nothing/tags/list", 404, "NAME_UNKNOWN", details=[{"name": "{name}/nothing"}]),
    *(
        reads("no route", request, 404, "NAME_UNKNOWN")
        for request in (
            "GET /",
            "GET /v3/",
            "GET /v2//",
            "GET /v2//_catalog",
            "GET /v2/{name}",
            "POST /v2/{name}/",
            "DELETE /v2/{name}/manifests/",
            "GET /v2/{name}/blobs",
            "GET /v2/{name}/tags",
            "GET /v2/../etc/passwd",
            "GET /v2/%2e%2e",
            "GET /v2/_catalog%0a",
            "GET /%00",
        )
    ),
    *(
        reads("page", f"GET /v2/{list_}?n={n}", 400, "PAGINATION_NUMBER_INVALID")
        for list_, n in zip(
            cycle(["_catalog", "{name}/tags/list"]),
            ("-1", "-1", "abc", "abc", "1.5", "1e3", "%2B1", "%201", "%D9%A1", "0x10"),
        )
    ),
    *(
        reads("page", f"GET /v2/_catalog?n={n}", 400, "PAGINATION_NUMBER_INVALID")
        for n in ("1001", "99999999999", "9" * 5000)
    ),
    *(reads("page", f"GET /v2/{{name}}/tags/list?n={n}", 200, "") for n in ("99999999999", "9" * 5000)),
    *(
        reads("method", f"{request}", 405, "UNSUPPORTED", answers={"Allow": allowed})
        for path, allowed, methods in (
            ("/v2/", "GET, HEAD", "POST DELETE OPTIONS"),
            ("/v2/_catalog", "GET, HEAD", "DELETE"),
            ("/v2/{name}/tags/list", "GET, HEAD", "PUT"),
            ("/v2/{name}/manifests/v1", "DELETE, GET, HEAD, PUT", "POST PATCH"),
            (f"/v2/{{name}}/blobs/{digest_of(LAYER)}", "DELETE, GET, HEAD", "POST PUT"),
            ("/v2/{name}/blobs/uploads/", "POST", "GET PUT DELETE"),
            ("{upload}", "DELETE, GET, HEAD, PATCH, PUT", "POST"),
        )
        for request in (f"{method} {path}" for method in methods.split())
    ),
    *(
        reads("If-Match", f"{method} /v2/{{name}}/{kind}", 412, "DIGEST_INVALID", headers={"If-Match": f'"{WRONG}"'})
        for method in ("GET", "HEAD")
        for kind in (f"blobs/{digest_of(LAYER)}", "manifests/v1")
    ),
    *(
        reads(
            f"Range {header}",
            f"GET /v2/{{name}}/blobs/{digest_of(LAYER)}",
            416,
            "SIZE_INVALID",
            headers={"Range": header},
            answers={"Content-Range": "bytes */5"},
        )
        for header in ("bytes=5-", "bytes=9-12", "bytes=5-6,7-8")
    ),
    *(
        reads(
            "deletion is off",
            f"DELETE /v2/{{name}}/{path}",
            405,
            "UNSUPPORTED",
            deletes=False,
            answers={"Allow": allowed},
        )
        for path, allowed in (
            (f"blobs/{digest_of(LAYER)}", "GET, HEAD"),
            (f"blobs/{ABSENT}", "GET, HEAD"),
            ("manifests/v1", "GET, HEAD, PUT"),
            ("manifests/v2", "GET, HEAD, PUT"),
            (f"manifests/{digest_of(IMAGE)}", "GET, HEAD, PUT"),
            (f"manifests/{ABSENT}", "GET, HEAD, PUT"),
        )
    ),
    *(
        reads(f"Host {host!r}", "GET /v2/{name}/manifests/v2", 404, "MANIFEST_UNKNOWN", headers={"Host": host})
        for host in ("a b", "x/../y", "u@x:99999", "")
    ),
]

BROKEN_OFF = [
    *(
        uploads(
            f"a {method} that breaks off",
            f"{method} {{upload}}?digest={WRONG}",
            400,
            "SIZE_INVALID",
            body=body,
            left=BEGUN + b"more",
            broken_off=True,
        )
        for method in ("PATCH", "PUT")
        for body in (b"more", [b"more"])
    ),
    *(
        uploads(
            f"a {method} with a Content-Range that breaks off",
            f"{method} {{upload}}?digest={WRONG}",
            400,
            "SIZE_INVALID",
            body=[b"more"],
            headers={"Content-Range": "5-99"},
            left=BEGUN + b"more",
            broken_off=True,
        )
        for method in ("PATCH", "PUT")
    ),
    *(
        uploads(
            "a single post that breaks off",
            f"POST /v2/{{name}}/blobs/uploads/?digest={digest_of(b'more')}",
            400,
            "SIZE_INVALID",
            body=b"more",
            broken_off=True,
        )
        for body in (b"more", [b"mor"])
    ),
    *(
        pushes("one that breaks off", body, 400, "SIZE_INVALID", broken_off=True)
        for body in (IMAGE + b" ", [IMAGE[:-1]])
    ),
]

ROWS = [*UPLOADS, *BROKEN_OFF, *MANIFESTS, *GRAMMAR, *READS]
