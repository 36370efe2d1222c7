"""`/v2/<name>/blobs/uploads/…`: start (end-4, end-11), receive (end-5), finish (end-6), ask (end-13), cancel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from registry_wsgi.api.respond import Answer, answer
from registry_wsgi.descriptor import ALGORITHMS, CANONICAL_ALGORITHM, Descriptor, Digest
from registry_wsgi.errors import (
    BlobUnknown,
    BlobUploadUnknown,
    ChunkInvalid,
    DigestInvalid,
    DriverError,
    RegistryError,
    SizeInvalid,
)

if TYPE_CHECKING:
    from registry_wsgi.api.call import Call
    from registry_wsgi.interfaces import BlobWriter, Repository

_CONTENT_RANGE = re.compile(r"(?:bytes[ =])?([0-9]{1,19})-([0-9]{1,19})(?:/.*)?")


def start(call: Call) -> Answer:
    """Mount a blob of another repository, take one whole, or open a session. A mount that cannot be is a session."""
    if call.query("mount"):
        mounted = _mount(call, call.query("mount"), call.query("from"))
        if mounted is not None:
            return mounted
    elif call.query("digest") and not call.body.empty:
        return _monolithic(call, Digest.parse(call.query("digest")))
    algorithm = _algorithm(call)
    return _accepted(call, call.repository.blobs.create(call.ctx), algorithm)


def status(call: Call) -> Answer:
    size = call.repository.blobs.upload_size(call.ctx, call.argument)
    return answer(204, _session_headers(call, call.argument, size))


def receive(call: Call) -> Answer:
    body = call.body
    algorithm = _algorithm(call)
    upload = call.repository.blobs.resume(call.ctx, call.argument)
    try:
        _receive(call, upload, algorithm)
    finally:
        upload.close(call.ctx)
    call.ctx.debug("received", **{"upload.id": upload.id, "upload.received": body.received})
    return _accepted(call, upload, algorithm)


def finish(call: Call) -> Answer:
    """Take what is left of the content and commit. Content that is not the digest's cancels the upload.

    Except after a chunked body: the client may have died in the middle of it without the server's
    knowing, and would lose all that it sent before.
    """
    try:
        upload: BlobWriter = call.repository.blobs.resume(call.ctx, call.argument)
    except BlobUploadUnknown:
        if not (call.query("digest") and call.body.empty):
            raise
        return _finish_again(call, Digest.parse(call.query("digest")))
    try:
        if not call.query("digest"):
            raise DigestInvalid("digest missing: the query must have digest=<algorithm>:<hex>")
        digest = Digest.parse(call.query("digest"))
        if not upload.size and call.body.length:
            upload = call.repository.blobs.direct(call.ctx, digest, upload) or upload
        if not call.body.empty:
            _receive(call, upload, digest.algorithm)
        return _committed(call, upload, digest, cancel_on_mismatch=call.body.length is not None)
    finally:
        upload.close(call.ctx)


def _finish_again(call: Call, digest: Digest) -> Answer:
    """Answer a client that comes again, as it was told to, after the link could not be written."""
    descriptor = call.repository.blobs.link_again(call.ctx, call.argument, digest)
    call.note("push", descriptor)
    return _created(call, digest)


def cancel(call: Call) -> Answer:
    upload = call.repository.blobs.resume(call.ctx, call.argument)
    upload.cancel(call.ctx)
    return answer(204, {"Docker-Upload-UUID": upload.id})


def _mount(call: Call, mount: str, source: str) -> Answer | None:
    """Return the response to a mount, or None where there is nothing to mount: the client then uploads."""
    try:
        digest = Digest.parse(mount)
        origin = _origin(call, digest, source)
        descriptor = call.repository.blobs.mount(call.ctx, digest, origin.blobs)
    except RegistryError as error:
        # Damage, such as a link that holds no digest, is to be told; the client's upload may mend it.
        log = call.ctx.warning if error.status == RegistryError.status else call.ctx.debug
        log("not mounted", **{"mount.reason": error})
        return None
    call.note("mount", descriptor, from_repository=origin.name)
    return _created(call, digest)


def _origin(call: Call, digest: Digest, source: str) -> Repository:
    """Return the repository to mount from: the one named or, if none is, any that has the blob (end-11).

    Raises NameInvalid, BlobUnknown.
    """
    if source:
        return call.namespace.repository(source)
    holder = call.namespace.holder(call.ctx, digest, call.ctx.may_pull)
    if holder is None:
        raise BlobUnknown(digest)
    return holder


def _monolithic(call: Call, digest: Digest) -> Answer:
    blobs = call.repository.blobs
    upload = blobs.direct(call.ctx, digest) or blobs.create(call.ctx)
    try:
        try:
            upload.prepare(call.ctx, digest.algorithm)
            for block in call.body.blocks():
                upload.write(block)
        except (SizeInvalid, DriverError):
            # Nobody was told of this upload, and nobody will resume it: it must not stay on a disk that is full.
            upload.cancel(call.ctx)
            raise
        return _committed(call, upload, digest, cancel_on_mismatch=True)
    finally:
        upload.close(call.ctx)


def _receive(call: Call, upload: BlobWriter, algorithm: str) -> None:
    """Append the body; what arrived of one that breaks off stays, and the client may ask how much it was."""
    declared = _declared_range(call, upload)
    upload.prepare(call.ctx, algorithm)
    for block in call.body.blocks():
        if declared is not None and call.body.received > declared:
            raise SizeInvalid(f"the body is longer than the {declared} bytes of its Content-Range")
        upload.write(block)
        del block  # or 16 uploads at once would hold 1 MB more while they wait for their next
    if declared is not None and call.body.received != declared:
        raise SizeInvalid(f"the body has {call.body.received} bytes, and its Content-Range {declared}")


def _declared_range(call: Call, upload: BlobWriter) -> int | None:
    """Return the length that Content-Range declares; raise ChunkInvalid where it does not go on from the end."""
    header = call.headers.get("Content-Range")
    if header is None:
        return None
    match = _CONTENT_RANGE.fullmatch(header.strip())
    session = _session_headers(call, upload.id, upload.size)
    if match is None:
        raise ChunkInvalid(f"Content-Range {header[:80]!r} is not of the form <first>-<last>", headers=session)
    first, last = int(match[1]), int(match[2])
    if first != upload.size or last < first:
        detail = f"the upload has {upload.size} bytes and cannot go on with the range {first}-{last}"
        raise ChunkInvalid(detail, headers=session)
    length = last - first + 1
    if call.body.length not in (None, length):
        raise SizeInvalid(f"the Content-Length is {call.body.length}, but the Content-Range has {length} bytes")
    return length


def _committed(call: Call, upload: BlobWriter, digest: Digest, *, cancel_on_mismatch: bool) -> Answer:
    try:
        descriptor: Descriptor = upload.commit(call.ctx, digest)
    except DigestInvalid:
        if cancel_on_mismatch:
            upload.cancel(call.ctx)
        raise
    call.note("push", descriptor)
    return _created(call, digest)


def _algorithm(call: Call) -> str:
    """Return the algorithm that the upload is announced to be committed with (end-4c). Raises DigestInvalid."""
    name = call.query("digest-algorithm") or CANONICAL_ALGORITHM
    if name not in ALGORITHMS:
        raise DigestInvalid(f"digest-algorithm {name[:40]!r} is not supported; known are: {', '.join(ALGORITHMS)}")
    return name


def _accepted(call: Call, upload: BlobWriter, algorithm: str) -> Answer:
    """The announced algorithm goes on in the Location, so that the data is hashed with it as it comes."""
    headers = _session_headers(call, upload.id, upload.size)
    if algorithm != CANONICAL_ALGORITHM:
        headers["Location"] += f"?digest-algorithm={algorithm}"
    return answer(202, headers)


def _created(call: Call, digest: Digest) -> Answer:
    location = call.locations.blob(call.repository.name, digest)
    return answer(201, {"Location": location, "Docker-Content-Digest": digest})


def _session_headers(call: Call, upload_id: str, size: int) -> dict[str, str]:
    """Return where to go on and the inclusive range received so far; nothing yet is `0-0`, too."""
    return {
        "Location": call.locations.upload(call.repository.name, upload_id),
        "Range": f"0-{max(0, size - 1)}",
        "Docker-Upload-UUID": upload_id,
    }


METHODS = {"GET": status, "HEAD": status, "PATCH": receive, "PUT": finish, "DELETE": cancel}
COLLECTION_METHODS = {"POST": start}
