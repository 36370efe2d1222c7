"""What a writer left that died: its parts are found with the store's own multipart API."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from registry_wsgi.errors import PathNotFound
from registry_wsgi_s3.section import SMALLEST_PART
from registry_wsgi_s3.state import State

if TYPE_CHECKING:
    from registry_wsgi_s3.bucket import Bucket
    from registry_wsgi_s3.records import Part


def recovered(bucket: Bucket, key: str, state: State) -> State:
    """Return where to go on after the writer that left `state` died. Raises PathNotFound where that is nowhere.

    Parts that came after the state was saved are made an object, which the next writer has copied. Else what is
    beyond a gap between them could later be taken for what a client sends now.
    """
    upload = state.upload or _begun(bucket, key)
    there = _parts(bucket, key, upload) if upload else None
    if there is None:
        return state_of_object(bucket, key) if state.upload else state
    if any(there.get(number) != part for number, part in enumerate(state.parts, 1)):
        _abort(bucket, key, upload)  # another has written over what was acknowledged
        raise PathNotFound(bucket.driver, bucket.path(key))
    if state.upload and len(there) == len(state.parts):
        return state
    whole = _without_gap(there, len(state.parts))
    size = sum(part.size for part in whole)
    if len(whole) > len(state.parts) and size >= state.size:
        bucket.complete(key, upload, whole)
        return State(base=size)
    if state.parts:
        bucket.complete(key, upload, state.parts)
        return State(base=size, tail=state.tail)
    _abort(bucket, key, upload)
    return State(base=state.base, tail=state.tail)


def state_of_object(bucket: Bucket, key: str) -> State:
    """Return the state of a write that goes on after the object at the key. Raises PathNotFound."""
    size = bucket.head(key).size
    if size >= SMALLEST_PART:
        return State(base=size)
    return State(tail=bucket.content(key)[1]) if size else State()


def _begun(bucket: Bucket, key: str) -> str:
    """Return the id of the upload to exactly this key that began last, empty without one."""
    begun = [(each.initiated, each.id) for each in bucket.uploads(key) if each.key == key]
    return max(begun)[1] if begun else ""


def _parts(bucket: Bucket, key: str, upload: str) -> dict[int, Part] | None:
    """Return the parts of an upload, None where it was committed or cancelled."""
    try:
        return {number: part for number, (part, _) in bucket.parts(key, upload).items()}
    except PathNotFound:
        return None


def _without_gap(there: dict[int, Part], known: int) -> list[Part]:
    """Return the parts up to the first one that is missing, or too small for another to follow it."""
    whole = [there[number] for number in range(1, known + 1)]
    while (part := there.get(len(whole) + 1)) is not None and part.size >= SMALLEST_PART:
        whole.append(part)
    return whole


def _abort(bucket: Bucket, key: str, upload: str) -> None:
    with suppress(PathNotFound):
        bucket.abort(key, upload)
