"""`/v2/<name>/manifests/<reference>`: read (end-3), write (end-7), delete (end-9)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from registry_wsgi import mediatypes
from registry_wsgi.api import conditional, negotiation
from registry_wsgi.api.respond import Answer, answer
from registry_wsgi.descriptor import Descriptor, Digest
from registry_wsgi.errors import ManifestUnknown, TagInvalid, TooManyTags
from registry_wsgi.manifests import parse
from registry_wsgi.reference import Reference, Tag, parse_reference

if TYPE_CHECKING:
    from registry_wsgi.api.call import Call

_FALLBACK_TAG = re.compile(r"(?:sha256|sha384|sha512)-[0-9a-f]{64}")
_LARGEST = 4 * 1024 * 1024
"""Bytes of a manifest: what end-7 asks to accept, and what Docker's registry limits since 2.6.2 (CVE-2017-11468)."""
_MOST_TAGS = 100
"""Each is flushed to the disk by itself, so tens of thousands in one query would take minutes. End-7b asks for 10."""


def get(call: Call) -> Answer:
    reference = _existing_reference(call.argument)
    digest = call.repository.resolve(call.ctx, reference)
    found = call.repository.manifests.get(call.ctx, digest)
    call.note("pull", found[0], tag=reference if isinstance(reference, Tag) else "", references=found[1].references)
    chosen = negotiation.choose(call, reference, found)
    headers = {"Docker-Content-Digest": chosen.digest, "ETag": conditional.entity_tag(chosen.digest)}
    if chosen.varies:
        headers |= negotiation.VARY
    if conditional.not_modified(call.headers, chosen.digest):
        call.forget("pull")
        return answer(304, headers)
    return answer(200, {**headers, "Content-Type": chosen.manifest.media_type}, chosen.manifest.content)


def put(call: Call) -> Answer:
    """Store a manifest under its digest and under tags: the one in the path, or any number in the query (end-7b)."""
    reference = parse_reference(call.argument)
    claimed = reference if isinstance(reference, Digest) else None
    tags = _tags_to_put(call, reference)
    repository = call.repository
    manifest = parse(call.body.read(_LARGEST), call.headers.get("Content-Type", ""))
    while True:
        descriptor = repository.manifests.put(call.ctx, manifest, claimed)
        for tag in tags:
            repository.tags.put(call.ctx, tag, descriptor.digest)
        # A delete that took the manifest away before it could see the tags has left them pointing at nothing.
        if not tags or repository.manifests.exists(call.ctx, descriptor.digest):
            break
    for name in tags or ("",):
        call.note("push", descriptor, tag=name, references=manifest.references)
    _warn(call, descriptor, tags)
    digest = claimed or descriptor.digest
    headers = {"Location": call.locations.manifest(repository.name, digest), "Docker-Content-Digest": digest}
    if manifest.subject is not None:
        headers["OCI-Subject"] = manifest.subject.digest
    if claimed and tags:
        headers["OCI-Tag"] = ", ".join(tags)
    return answer(201, headers)


def _warn(call: Call, descriptor: Descriptor, tags: list[Tag]) -> None:
    if descriptor.media_type in mediatypes.SCHEMA1_MANIFESTS:
        call.warn(
            "Manifests of schema 1 are deprecated: push this image again with a client that writes OCI manifests."
        )
    if descriptor.media_type in mediatypes.INDEXES and any(_FALLBACK_TAG.fullmatch(tag) for tag in tags):
        call.warn("This registry lists referrers by itself: no index under a tag is needed.")


def _tags_to_put(call: Call, reference: Reference) -> list[Tag]:
    """Return the tags, each once. Raises TagInvalid and TooManyTags before anything is stored."""
    if isinstance(reference, Tag):
        return [reference]
    tags = list(dict.fromkeys(Tag.parse(text) for text in call.queries("tag")))
    if len(tags) > _MOST_TAGS:
        raise TooManyTags(f"the query has {len(tags)} tags; {_MOST_TAGS} are allowed")
    return tags


def delete(call: Call) -> Answer:
    reference = _existing_reference(call.argument)
    if isinstance(reference, Tag):
        call.repository.tags.delete(call.ctx, reference)
        call.note("delete", tag=reference)
        return answer(202, {})
    untagged = call.repository.manifests.delete(call.ctx, reference)
    call.note("delete", Descriptor(digest=reference, size=0))
    for tag in untagged:
        call.note("delete", tag=tag)
    return answer(202, {})


def _existing_reference(text: str) -> Reference:
    """Return the reference; what can be no tag is one that does not exist (the conformance suite of end-3 asks 404)."""
    try:
        return parse_reference(text)
    except TagInvalid as error:
        raise ManifestUnknown(error.detail) from None


METHODS = {"GET": get, "HEAD": get, "PUT": put, "DELETE": delete}
