"""What an operator wants of manifests beyond their format (distribution 2.6 `validation`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from registry_wsgi import mediatypes
from registry_wsgi.errors import ConfigurationError, ManifestInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry_wsgi.descriptor import Descriptor


@dataclass(frozen=True, slots=True)
class Platform:
    architecture: str
    os: str


class URLRules:
    """Which URLs a layer that lives elsewhere may have: one that `allow` matches anywhere, and `deny` nowhere.

    Without patterns none is allowed. The patterns are an operator's and the URLs a stranger's, so they are matched in
    linear time, by RE2. Raises ConfigurationError for a pattern that RE2 does not take.
    """

    def __init__(self, allow: Sequence[str] = (), deny: Sequence[str] = ()) -> None:
        self._allow = _compiled(allow, "allow")
        self._deny = _compiled(deny, "deny")

    def check(self, url: str) -> None:
        """Raise ManifestInvalid where the URL may not be."""
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ManifestInvalid(f"the URL {url[:160]!r} of a layer is none") from None
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.fragment:
            raise ManifestInvalid(f"the URL {url[:160]!r} of a layer is not http or https without a fragment")
        if not _matches(self._allow, url) or _matches(self._deny, url):
            raise ManifestInvalid(f"the URL {url[:160]!r} of a layer is not allowed by validation.manifests.urls")


class ManifestValidation:
    """`urls` are the rules for URLs, None for no check. `platforms` tells which children of an index must be here:
    all, none, or those of the `listed` ones."""

    def __init__(
        self,
        *,
        urls: URLRules | None = None,
        platforms: Literal["all", "none", "list"] = "all",
        listed: Sequence[Platform] = (),
    ) -> None:
        self._urls = urls
        self._platforms = platforms
        self._listed = frozenset(listed)

    def requires_blob(self, reference: Descriptor) -> bool:
        """Tell whether the repository must have a config or layer. Raises ManifestInvalid for a URL that may not be."""
        if reference.media_type not in mediatypes.FOREIGN_LAYERS:
            return True
        urls: Any = reference.extra.get("urls") or ()
        if not isinstance(urls, list | tuple) or not all(isinstance(url, str) for url in urls):
            raise ManifestInvalid("the urls of a layer are no list of strings")
        if reference.media_type == mediatypes.DOCKER_FOREIGN_LAYER and not urls:
            raise ManifestInvalid(f"the foreign layer {reference.digest} has no urls")
        if self._urls is not None:
            for url in urls:
                self._urls.check(url)
        return False

    def requires_manifest(self, reference: Descriptor) -> bool:
        """Tell whether the repository must have a child of an index."""
        if self._platforms != "list":
            return self._platforms == "all"
        platform: Any = reference.extra.get("platform")
        if not isinstance(platform, dict):
            return False
        return Platform(str(platform.get("architecture")), str(platform.get("os"))) in self._listed


def _compiled(patterns: Sequence[str], key: str) -> list[Any]:
    if not patterns:
        return []
    try:
        import re2  # noqa: PLC0415 - an extra: only those who have patterns need it
    except ImportError:
        missing = "needs google-re2, which is not installed: pip install 'registry-wsgi[validation]'"
        raise ConfigurationError(f"validation.manifests.urls.{key} {missing}") from None
    options = re2.Options()
    options.log_errors = False  # it would say so on stderr, in its own way
    try:
        return [re2.compile(pattern, options) for pattern in patterns]
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        raise ConfigurationError(f"validation.manifests.urls.{key}: not a regular expression: {reason}") from None


def _matches(patterns: list[Any], url: str) -> bool:
    return any(pattern.search(url) for pattern in patterns)
