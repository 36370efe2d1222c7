"""A Bottle site with a registry under /v2/: `gunicorn app:application`."""

from __future__ import annotations

import os

from bottle import Bottle

import registry_wsgi

site = Bottle()


@site.get("/")
def index() -> str:
    return "<h1>Our site</h1>\n"


@site.error(404)
def not_found(_error: Exception) -> str:
    return "<h1>Not on our site</h1>\n"


application = registry_wsgi.mount(
    site,
    {"storage": {"filesystem": {"rootdirectory": os.environ.get("SITE_REGISTRY", "data")}}},
    open_access=True,  # whoever reaches the site may push
)
