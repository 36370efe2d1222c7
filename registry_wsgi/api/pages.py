"""The query parameters `n` and `last` of lists (end-8b)."""

from __future__ import annotations

from registry_wsgi.errors import PaginationNumberInvalid


def page_size(text: str, most: int, *, clamp: bool) -> int | None:
    """Return how many entries `n` asks for, None where it is absent.

    More than `most` is `most` if `clamp`, and otherwise refused. Raises PaginationNumberInvalid.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise PaginationNumberInvalid({"n": text[:40], "allowed": f"a whole number from 0 to {most}"})
    n = int(text[:20])
    if n <= most:
        return n
    if clamp:
        return most
    raise PaginationNumberInvalid({"n": n, "allowed": f"a whole number from 0 to {most}"})
