"""Which form of a manifest a client gets that does not accept the stored one (RFC 9110 §12.5.1, docker-registry 2.8).

Asked by digest, content is never another than the digest's. Asked by tag, a list of images stands for the one of
linux/amd64, and an image of schema 2 may be converted to schema 1; what is OCI's has to be accepted either way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from registry_wsgi import mediatypes
from registry_wsgi.errors import ManifestUnknown
from registry_wsgi.reference import Tag

if TYPE_CHECKING:
    from registry_wsgi.api.call import Call
    from registry_wsgi.descriptor import Descriptor, Digest
    from registry_wsgi.interfaces import Manifest
    from registry_wsgi.reference import Reference

VARY = {"Vary": "Accept"}
_OCI = frozenset({mediatypes.OCI_MANIFEST, mediatypes.OCI_INDEX})
_SOMETIMES = frozenset({mediatypes.DOCKER_MANIFEST, mediatypes.DOCKER_MANIFEST_LIST})
_PLATFORM = {"architecture": "amd64", "os": "linux"}
_LONGEST_REMEMBERED = 2048
"""Characters of an Accept header. docker's has some 500; granian lets 64 KB through, of which none should stay."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The manifest to send, under which digest, and whether another client might get something else."""

    digest: Digest
    descriptor: Descriptor
    manifest: Manifest
    varies: bool


def choose(call: Call, reference: Reference, found: tuple[Descriptor, Manifest]) -> Choice:
    """Return what to send of the manifest that was `found` under `reference`.

    Raises ManifestUnknown where there is nothing that the client accepts, ManifestInvalid where it cannot be made.
    """
    descriptor, manifest = found
    by_tag = isinstance(reference, Tag)
    varies = manifest.media_type in _OCI or (by_tag and manifest.media_type in _SOMETIMES)
    choice = Choice(descriptor.digest, descriptor, manifest, varies)
    accept = call.environ.get("HTTP_ACCEPT", "*/*")
    if not varies or accepts(accept, manifest.media_type):
        return choice
    try:
        return _other(call, reference, choice, accept)
    except ManifestUnknown as error:
        error.headers |= VARY
        raise


def accepts(accept: str, media_type: str) -> bool:
    """Tell whether an Accept header takes `media_type`: the most specific range that matches decides, q=0 refuses.

    An empty header, as an absent one, takes everything.
    """
    tell = _accepts if len(accept) <= _LONGEST_REMEMBERED else _accepts.__wrapped__
    return tell(accept, media_type)


@lru_cache(maxsize=512)
def _accepts(accept: str, media_type: str) -> bool:
    best, accepted = -1, not accept.strip()
    for part in accept.split(","):
        media_range, *parameters = (word.strip().lower() for word in part.split(";"))
        specific = _matches(media_range, media_type)
        if specific > best:
            best, accepted = specific, not any(_is_zero(parameter) for parameter in parameters)
    return accepted


def _matches(media_range: str, media_type: str) -> int:
    """Return how specific a range is that matches: -1 where it does not."""
    if media_range == media_type:
        return 2
    if media_range == f"{media_type.partition('/')[0]}/*":
        return 1
    return 0 if media_range == "*/*" else -1


def _is_zero(parameter: str) -> bool:
    name, _, weight = parameter.partition("=")
    return name.strip() == "q" and weight.strip() in ("0", "0.", "0.0", "0.00", "0.000")


def _other(call: Call, reference: Reference, choice: Choice, accept: str) -> Choice:
    media_type = choice.manifest.media_type
    if media_type == mediatypes.DOCKER_MANIFEST_LIST:
        choice = _default_image(call, choice)
        media_type = choice.manifest.media_type
        if media_type != mediatypes.DOCKER_MANIFEST or accepts(accept, media_type):
            return choice
    if media_type == mediatypes.DOCKER_MANIFEST:
        return _converted(call, Tag(reference), choice)
    raise _refused(media_type)


def _default_image(call: Call, choice: Choice) -> Choice:
    """Return the first image of a list that is for linux/amd64: what clients ran on before there were lists."""
    for child in choice.manifest.references:
        platform = child.extra.get("platform")
        if isinstance(platform, dict) and _PLATFORM.items() <= platform.items():
            descriptor, manifest = call.repository.manifests.get(call.ctx, child.digest)
            call.note("pull", descriptor, references=manifest.references)
            return replace(choice, digest=child.digest, descriptor=descriptor, manifest=manifest)
    raise ManifestUnknown("manifest list found, but accept header does not support it, and it has no linux/amd64 image")


def _converted(call: Call, tag: Tag, choice: Choice) -> Choice:
    descriptor, manifest = call.repository.manifests.as_schema1(
        call.ctx, choice.manifest, tag, read_only=call.options.read_only
    )
    return replace(choice, digest=descriptor.digest, descriptor=descriptor, manifest=manifest)


def _refused(media_type: str) -> ManifestUnknown:
    kind = "index" if media_type == mediatypes.OCI_INDEX else "manifest"
    plural = "indexes" if media_type == mediatypes.OCI_INDEX else "manifests"
    return ManifestUnknown(f"OCI {kind} found, but accept header does not support OCI {plural}")
