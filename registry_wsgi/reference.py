"""The grammar of repository names, tags and references (OCI Distribution Spec 1.1, "Pulling manifests").

Every expression is matched whole and in ASCII: `$` would let a trailing newline through,
and `\\w` other alphabets.
"""

from __future__ import annotations

import re
from functools import lru_cache

from registry_wsgi.descriptor import Digest
from registry_wsgi.errors import NameInvalid, TagInvalid

NAME_LENGTH = 255
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Tag(str):
    """A checked tag. Make one with `parse`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Tag:
        """Return `text` as a tag; raise TagInvalid where it is outside the grammar."""
        if _TAG.fullmatch(text) is None:
            raise TagInvalid(
                f"tag {text[:160]!r} is not a letter, digit or '_' "
                "followed by up to 127 letters, digits, '.', '_' or '-'"
            )
        return cls(text)


Reference = Digest | Tag


@lru_cache(4096)  # only what is right stays, and that is short
def check_name(name: str) -> str:
    """Return `name`; raise NameInvalid where it is no repository name or longer than 255 characters."""
    if len(name) > NAME_LENGTH:
        raise NameInvalid(f"name {name[:32]!r}… has {len(name)} characters; {NAME_LENGTH} are allowed")
    if _NAME.fullmatch(name) is None:
        raise NameInvalid(
            f"name {name!r} is not made of components of a-z and 0-9, "
            "inside separated by '.', '_', '__' or '-', joined by '/'"
        )
    return name


def parse_reference(text: str) -> Reference:
    """Return the digest or the tag that `text` is; raise DigestInvalid (there is a ':') or TagInvalid."""
    return Digest.parse(text) if ":" in text else Tag.parse(text)


def is_upload_id(text: str) -> bool:
    """Tell whether `text` is a UUID in lower case, the only form of an upload's id."""
    return _UUID.fullmatch(text) is not None
