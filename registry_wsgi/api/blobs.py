"""`/v2/<name>/blobs/<digest>`: read (end-2) and delete (end-10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_wsgi.api import conditional, sending
from registry_wsgi.api.respond import answer
from registry_wsgi.descriptor import OCTET_STREAM, Descriptor, Digest

if TYPE_CHECKING:
    from flask import Response

    from registry_wsgi.api.call import Call
    from registry_wsgi.interfaces import FileReader

_YEAR = 365 * 24 * 3600


def head(call: Call) -> Response:
    digest = Digest.parse(call.argument)
    descriptor = call.repository.blobs.stat(call.ctx, digest)
    shortcut = _not_sent(call, digest, descriptor)
    call.note("pull", descriptor)
    if shortcut is not None:
        return shortcut
    described = {"Content-Type": OCTET_STREAM, "Content-Length": str(descriptor.size)}
    return answer(200, {**_headers(digest), **described})


def get(call: Call) -> Response:
    digest = Digest.parse(call.argument)
    if call.options.redirect or "If-None-Match" in call.request.headers or "If-Match" in call.request.headers:
        descriptor = call.repository.blobs.stat(call.ctx, digest)
        shortcut = _not_sent(call, digest, descriptor)
        if shortcut is not None:
            call.note("pull", descriptor)
            return shortcut
    descriptor, reader = call.repository.blobs.open(call.ctx, digest)
    try:
        response = _content(call, digest, descriptor, reader)
    except BaseException:
        reader.close()
        raise
    call.note("pull", descriptor)
    return response


def delete(call: Call) -> Response:
    digest = Digest.parse(call.argument)
    call.repository.blobs.delete(call.ctx, digest)
    call.note("delete", Descriptor(digest=digest, size=0))
    return answer(202, {})


def _not_sent(call: Call, digest: Digest, descriptor: Descriptor) -> Response | None:
    """Return the answer that sends no content: the client has it, or gets it elsewhere. None where it is to be sent."""
    if conditional.not_modified(call.request.headers, digest):
        return answer(304, _headers(digest))
    return _redirected(call, descriptor)


def _redirected(call: Call, descriptor: Descriptor) -> Response | None:
    """Return a 307 to where the content is; None where it has to come through the registry, or redirects are off."""
    if not call.options.redirect:
        return None
    url = call.repository.blobs.url(call.ctx, descriptor, call.request.method)
    return answer(307, {"Location": url}) if url else None


def _content(call: Call, digest: Digest, descriptor: Descriptor, reader: FileReader) -> Response:
    headers = {**_headers(digest), "Content-Type": OCTET_STREAM}
    size = descriptor.size
    ranges = None
    if "Range" in call.request.headers and conditional.range_applies(call.request.headers, digest):
        ranges = sending.requested_ranges(call.request.headers["Range"], size)
    if ranges is None:
        response = answer(200, {**headers, "Content-Length": str(size)})
        response.response = sending.whole(call.request.environ, reader, size)
    elif len(ranges) == 1:
        begin, end = ranges[0]
        partial = {"Content-Range": f"bytes {begin}-{end - 1}/{size}", "Content-Length": str(end - begin)}
        response = answer(206, {**headers, **partial})
        response.response = sending.part(reader, begin, end)
    else:
        body = sending.Multipart(reader, ranges, size)
        parts = {"Content-Type": body.content_type, "Content-Length": str(body.length)}
        response = answer(206, {**headers, **parts})
        response.response = body
    return response


def _headers(digest: Digest) -> dict[str, str]:
    return {
        "Docker-Content-Digest": digest,
        "ETag": conditional.entity_tag(digest),
        "Cache-Control": f"max-age={_YEAR}",
        "Accept-Ranges": "bytes",
    }


METHODS = {"GET": get, "HEAD": head, "DELETE": delete}
