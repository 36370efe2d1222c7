"""What the claims of an identity token mean here: which of them it must have, who it is, and of which groups.

A template is text with claims in braces, `github:{repository}`; a claim inside another goes by its path,
`{kubernetes.io/namespace}`. One that is a claim alone, and a list there, is a group for each element.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from registry_wsgi.errors import ConfigurationError

_CLAIM = re.compile(r"\{([^{}]+)\}")
_LONGEST = 255


class Template:
    """Text with claims in it. Raises ConfigurationError, naming `key`."""

    def __init__(self, key: str, text: object) -> None:
        if not isinstance(text, str) or not text or set(_CLAIM.sub("", text)) & {"{", "}"}:
            raise ConfigurationError(f"{key}: must be text in which claims stand in braces, such as {{sub}}")
        self._text = text
        self._names = _CLAIM.findall(text)
        self._alone = self._names[0] if text == f"{{{''.join(self._names)}}}" else ""

    def values(self, claims: Mapping[str, Any]) -> list[str]:
        """Return what the template says with these claims in it; nothing where one of them is missing."""
        if self._alone:
            found = find(claims, self._alone)
            return [word for each in (found if isinstance(found, list) else [found]) if (word := _word(each))]
        words = {name: _word(find(claims, name)) for name in self._names}
        return [_CLAIM.sub(lambda match: words[match[1]], self._text)] if all(words.values()) else []


class Required:
    """Claims by name, each with the values that will do, in which `*` is any text. Raises ConfigurationError."""

    def __init__(self, key: str, section: object) -> None:
        if not isinstance(section, Mapping):
            raise ConfigurationError(f"{key}: must be a mapping of claims to values, such as {{owner: acme}}")
        self._patterns = {
            str(name): [_pattern(f"{key}.{name}", each) for each in (values if isinstance(values, list) else [values])]
            for name, values in section.items()
        }

    def missing(self, claims: Mapping[str, Any]) -> str:
        """Return the name of a claim that is not as required, empty where all are."""
        for name, patterns in self._patterns.items():
            found = find(claims, name)
            words = [_word(each) for each in (found if isinstance(found, list) else [found])]
            if not any(pattern.fullmatch(word) for pattern in patterns for word in words if word):
                return name
        return ""


def templates(key: str, section: object) -> Sequence[Template]:
    """Return the templates of a list. Raises ConfigurationError."""
    if not isinstance(section, list):
        raise ConfigurationError(f"{key}: must be a list of text in which claims stand in braces")
    return [Template(f"{key}[{number}]", each) for number, each in enumerate(section)]


def find(claims: Mapping[str, Any], name: str) -> object:
    """Return the claim of a name or, where there is none, at a path; None where there is none either."""
    if name in claims:
        return claims[name]
    head, _, rest = name.partition("/")
    inner = claims.get(head)
    return find(inner, rest) if rest and isinstance(inner, Mapping) else None


def _word(value: object) -> str:
    """Return a claim as text, empty where it is none: a list, nothing, or what no log line should have in it."""
    text = str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, (str, int)) else ""
    return text if text.isprintable() and len(text) <= _LONGEST else ""


def _pattern(key: str, value: object) -> re.Pattern[str]:
    if not (word := _word(value)):
        raise ConfigurationError(f"{key}: must be text, or a list of it, in which * stands for any text")
    return re.compile(".*".join(map(re.escape, word.split("*"))))
