"""Storage middlewares that say where clients get blobs themselves (distribution 2.7 `redirect`, 3.0 `rewrite`)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from registry_wsgi.drivers.delegate import DelegatingDriver
from registry_wsgi.errors import ConfigurationError

if TYPE_CHECKING:
    from registry_wsgi.context import Context
    from registry_wsgi.interfaces import StorageDriver


class RedirectMiddleware(DelegatingDriver):
    """The storage middleware `redirect`: blobs are at `baseurl`, under the path they have in the store.

    Such as a web server over the same directory, or a content delivery network. Raises ConfigurationError.
    """

    def __init__(self, driver: StorageDriver, *, baseurl: str) -> None:
        super().__init__(driver)
        parts = urlsplit(baseurl)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"baseurl must be an absolute URL with http or https, not {baseurl!r}")
        self._base = baseurl.rstrip("/")

    def redirect_url(self, ctx: Context, path: str, method: str) -> str:  # noqa: ARG002
        return self._base + path


class RewriteMiddleware(DelegatingDriver):
    """The storage middleware `rewrite`: changes the URLs that the driver gives.

    `scheme` and `host` take the place of the URL's, and `trimpathprefix` is taken off its path.
    """

    def __init__(self, driver: StorageDriver, *, scheme: str = "", host: str = "", trimpathprefix: str = "") -> None:
        super().__init__(driver)
        if scheme not in ("", "http", "https"):
            raise ConfigurationError(f"scheme must be http or https, not {scheme!r}")
        self._scheme = scheme
        self._host = host
        self._prefix = trimpathprefix

    def redirect_url(self, ctx: Context, path: str, method: str) -> str:
        url = super().redirect_url(ctx, path, method)
        if not url:
            return ""
        parts = urlsplit(url)
        changed = {"path": parts.path.removeprefix(self._prefix)}
        if self._scheme:
            changed["scheme"] = self._scheme
        if self._host:
            changed["netloc"] = self._host
        return urlunsplit(parts._replace(**changed))
