"""A web site of its own with a registry under /v2/: `flask run`, or `gunicorn app:app`."""

from __future__ import annotations

import logging
import os

from flask import Flask

import registry_wsgi

# The site's own, as it was before the registry came.

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")

app = Flask(__name__)


@app.get("/")
def index() -> str:
    return "<h1>Our site</h1>\n"


@app.get("/about")
def about() -> str:
    return "<h1>About us</h1>\n"


@app.errorhandler(404)
def not_found(_error: Exception) -> tuple[str, int]:
    return "<h1>Not on our site</h1>\n", 404


# The registry. `open_access` says that whoever reaches the site may push, as is meant; the README has users.

REGISTRY = {
    "storage": {
        "filesystem": {"rootdirectory": os.environ.get("SITE_REGISTRY", "data")},
        "cache": {"blobdescriptor": "inmemory"},
    },
}

app.wsgi_app = registry_wsgi.mount(app.wsgi_app, REGISTRY, open_access=True)  # type: ignore[method-assign, assignment]
