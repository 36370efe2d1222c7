"""Conditional requests (RFC 9110 §13) on content whose entity tag is its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.http import parse_etags

from registry_wsgi.errors import PreconditionFailed

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers


def entity_tag(digest: str) -> str:
    return f'"{digest}"'


def not_modified(headers: Headers, digest: str) -> bool:
    """Tell whether to answer 304; raise PreconditionFailed where If-Match names other content.

    Docker's clients send the digest in If-None-Match without the quotes.
    """
    if_match = headers.get("If-Match")
    if if_match is not None and not parse_etags(if_match).contains(digest):
        raise PreconditionFailed(f"the content is {digest}")
    if_none_match = headers.get("If-None-Match")
    return if_none_match is not None and parse_etags(if_none_match).contains_weak(digest)


def range_applies(headers: Headers, digest: str) -> bool:
    """Tell whether to heed a Range header: If-Range, if there, must name this very content (RFC 9110 §13.1.5)."""
    if_range = headers.get("If-Range")
    return if_range is None or if_range.strip() == entity_tag(digest)
