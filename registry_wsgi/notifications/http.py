"""The sink `http`: each event is POSTed to a URL, as registry:2 does or as a CloudEvent."""

from __future__ import annotations

import base64
import http.client
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from registry_wsgi._version import __version__
from registry_wsgi.errors import ConfigurationError, DeliveryFailed
from registry_wsgi.notifications import documents
from registry_wsgi.notifications.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from urllib.parse import SplitResult

    from registry_wsgi.interfaces import Notification

    Write = Callable[[Notification], tuple[Mapping[str, str], bytes]]

_MOST_READ = 64 * 1024
_MOST_REDIRECTS = 10
_REDIRECTS_WITH_BODY = (307, 308)


class HTTPSink:
    """POSTs to `url`, with `headers` added; what is answered with 200 to 399 is delivered.

    `timeout` is the seconds that a whole post may take. `format` is `docker`, or `cloudevents` (structured mode). The
    variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY are heeded. A redirect that keeps the body (307, 308) is followed,
    but `headers` are not told to another host. A post is a part of the trace that its event's request was a part of.
    """

    in_process = False

    def __init__(
        self,
        *,
        url: str,
        headers: Mapping[str, Sequence[str]] | None = None,
        timeout: float = 1.0,
        format: str = "docker",
    ) -> None:
        self._url = url
        self._timeout = timeout
        self._write = _writer(format)
        self._headers = [(name, value) for name, values in (headers or {}).items() for value in values]
        self._tls = ssl.create_default_context()
        self._kept: tuple[tuple[str, str], http.client.HTTPConnection] | None = None

    def send(self, event: Notification) -> str:
        headers, body = self._write(event)
        if event.request.traceparent:
            headers = {**headers, "traceparent": event.request.traceparent}
        deadline = Deadline(self._timeout)
        url = self._url
        for _ in range(_MOST_REDIRECTS):
            status, reason, location = self._post(url, headers, body, deadline)
            if status not in _REDIRECTS_WITH_BODY or not location:
                break
            url = urljoin(url, location)
        answer = f"{status} {reason}".strip()
        if not 200 <= status < 400:
            raise DeliveryFailed(f"the endpoint answered {answer}", answer)
        if status in _REDIRECTS_WITH_BODY:
            raise DeliveryFailed(f"the endpoint redirects without end, to {url[:200]}", answer)
        return answer

    def close(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept[1].close()

    def _post(self, url: str, headers: Mapping[str, str], body: bytes, deadline: Deadline) -> tuple[int, str, str]:
        """Return the status, its reason and the Location. A connection that was kept may have been closed meanwhile."""
        fresh = self._kept is None
        try:
            return self._post_once(url, headers, body, deadline)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            self.close()
            if fresh:
                raise DeliveryFailed(_reason(error)) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise DeliveryFailed(_reason(error)) from error
        return self._post(url, headers, body, deadline)

    def _post_once(self, url: str, headers: Mapping[str, str], body: bytes, deadline: Deadline) -> tuple[int, str, str]:
        parts = urlsplit(url)
        connection, target = self._connected(parts, deadline)
        connection.putrequest("POST", target, skip_accept_encoding=True)
        for name, value in self._all_headers(parts, headers, len(body)):
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders(body)
        response = connection.getresponse()
        with suppress(OSError, http.client.HTTPException):  # what it says is of no interest
            response.read(_MOST_READ)
        if not response.isclosed():
            self.close()
        return response.status, response.reason, response.headers.get("Location", "")

    def _all_headers(self, parts: SplitResult, headers: Mapping[str, str], length: int) -> list[tuple[str, str]]:
        own = urlsplit(self._url)
        trusted = (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
        configured = self._headers if trusted else []
        added = {name.lower() for name, _ in configured}
        ours = {"User-Agent": f"registry-wsgi/{__version__}", **headers, "Content-Length": str(length)}
        if parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            ours["Authorization"] = f"Basic {base64.b64encode(credentials).decode()}"
        return [*((name, value) for name, value in ours.items() if name.lower() not in added), *configured]

    def _connected(self, parts: SplitResult, deadline: Deadline) -> tuple[http.client.HTTPConnection, str]:
        """Return a connection that leads to the host, and what to ask for there."""
        host = parts.hostname or ""
        proxy = None if proxy_bypass(host) else getproxies().get(parts.scheme)
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        through_proxy = proxy is not None and parts.scheme == "http"
        target = f"http://{_address(parts)}{path}" if through_proxy else path
        place = (parts.scheme, proxy or _address(parts))
        if self._kept is None or self._kept[0] != place:
            self.close()
            self._kept = place, self._connect(parts, urlsplit(proxy) if proxy else None, deadline)
        connection = self._kept[1]
        connection.response_class = deadline.response  # type: ignore[assignment]
        if connection.sock is not None:
            connection.sock.settimeout(deadline.left())
        return connection, target

    def _connect(self, parts: SplitResult, proxy: SplitResult | None, deadline: Deadline) -> http.client.HTTPConnection:
        near = proxy or parts
        port = near.port or (443 if near.scheme == "https" else 80)
        left = deadline.left()
        if parts.scheme != "https":
            return http.client.HTTPConnection(near.hostname or "", port, timeout=left)
        connection = http.client.HTTPSConnection(near.hostname or "", port, timeout=left, context=self._tls)
        if proxy is not None:
            connection.set_tunnel(parts.hostname or "", parts.port or 443)
        return connection


def _writer(format: str) -> Write:
    if format == "docker":
        return lambda event: ({"Content-Type": documents.MEDIA_TYPE}, documents.envelope(event))
    if format != "cloudevents":
        raise ConfigurationError(f"format: must be docker or cloudevents, not {format!r}")
    try:
        from registry_wsgi.notifications.cloud import structured  # noqa: PLC0415 - needs a package of an extra
    except ImportError:
        raise ConfigurationError(
            "format: cloudevents needs the package cloudevents, which is not installed"
            "; install registry-wsgi[cloudevents]"
        ) from None
    return structured


def _address(parts: SplitResult) -> str:
    """Return host and port, without the user before them."""
    return parts.netloc.rpartition("@")[2]


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
