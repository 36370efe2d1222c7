"""`/v2/<name>/blobs/<digest>`: read (end-2) and delete (end-10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.urls import iri_to_uri

from registry_wsgi.api import conditional, sending
from registry_wsgi.api.respond import Answer, answer
from registry_wsgi.descriptor import OCTET_STREAM, Descriptor, Digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry_wsgi.api.call import Call
    from registry_wsgi.interfaces import FileReader

_YEAR = 365 * 24 * 3600


def head(call: Call) -> Answer:
    digest = Digest.parse(call.argument)
    descriptor = call.repository.blobs.stat(call.ctx, digest)
    shortcut = _not_sent(call, digest, descriptor)
    call.note("pull", descriptor)
    if shortcut is not None:
        return shortcut
    described = {"Content-Type": OCTET_STREAM, "Content-Length": str(descriptor.size)}
    return answer(200, {**_headers(digest), **described})


def get(call: Call) -> Answer:
    digest = Digest.parse(call.argument)
    if call.options.redirect or "If-None-Match" in call.headers or "If-Match" in call.headers:
        descriptor = call.repository.blobs.stat(call.ctx, digest)
        shortcut = _not_sent(call, digest, descriptor)
        if shortcut is not None:
            call.note("pull", descriptor)
            return shortcut
    descriptor, reader = call.repository.blobs.open(call.ctx, digest)
    try:
        content = _content(call, digest, descriptor, reader)
    except BaseException:
        reader.close()
        raise
    call.note("pull", descriptor)
    return content


def delete(call: Call) -> Answer:
    digest = Digest.parse(call.argument)
    call.repository.blobs.delete(call.ctx, digest)
    call.note("delete", Descriptor(digest=digest, size=0))
    return answer(202, {})


def _not_sent(call: Call, digest: Digest, descriptor: Descriptor) -> Answer | None:
    """Return the answer that sends no content: the client has it, or gets it elsewhere. None where it is to be sent."""
    if conditional.not_modified(call.headers, digest):
        return answer(304, _headers(digest))
    return _redirected(call, descriptor)


def _redirected(call: Call, descriptor: Descriptor) -> Answer | None:
    """Return a 307 to where the content is; None where it has to come through the registry, or redirects are off."""
    if not call.options.redirect:
        return None
    url = call.repository.blobs.url(call.ctx, descriptor, call.method)
    return answer(307, {"Location": iri_to_uri(url)}) if url else None


def _content(call: Call, digest: Digest, descriptor: Descriptor, reader: FileReader) -> Answer:
    headers = {**_headers(digest), "Content-Type": OCTET_STREAM}
    size = descriptor.size
    ranges = None
    if "Range" in call.headers and conditional.range_applies(call.headers, digest):
        ranges = sending.requested_ranges(call.headers["Range"], size)
    body: Iterable[bytes]
    if ranges is None:
        status, described, body = 200, {"Content-Length": str(size)}, sending.whole(call.environ, reader, size)
    elif len(ranges) == 1:
        begin, end = ranges[0]
        status, body = 206, sending.part(reader, begin, end)
        described = {"Content-Range": f"bytes {begin}-{end - 1}/{size}", "Content-Length": str(end - begin)}
    else:
        status, body = 206, sending.Multipart(reader, ranges, size)
        described = {"Content-Type": body.content_type, "Content-Length": str(body.length)}
    content = answer(status, {**headers, **described})
    content.body = body
    return content


def _headers(digest: Digest) -> dict[str, str]:
    return {
        "Docker-Content-Digest": digest,
        "ETag": conditional.entity_tag(digest),
        "Cache-Control": f"max-age={_YEAR}",
        "Accept-Ranges": "bytes",
    }


METHODS = {"GET": get, "HEAD": head, "DELETE": delete}
