"""Two applications side by side under werkzeug's DispatcherMiddleware: `gunicorn app:application`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from werkzeug.middleware.dispatcher import DispatcherMiddleware

import registry_wsgi

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def site(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    found = environ["PATH_INFO"] == "/"
    start_response("200 OK" if found else "404 Not Found", [("Content-Type", "text/html")])
    return [b"<h1>Our site</h1>\n" if found else b"<h1>Not on our site</h1>\n"]


application = DispatcherMiddleware(
    site,
    {
        "/v2": registry_wsgi.create_app(
            {"storage": {"filesystem": {"rootdirectory": os.environ.get("SITE_REGISTRY", "data")}}}
        )
    },
)
