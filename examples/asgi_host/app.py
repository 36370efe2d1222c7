"""A Starlette site with a registry under /v2/, through a2wsgi: `uvicorn app:site`. FastAPI mounts it the same way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from a2wsgi import WSGIMiddleware
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

import registry_wsgi

if TYPE_CHECKING:
    from starlette.requests import Request


async def index(_request: Request) -> HTMLResponse:
    return HTMLResponse("<h1>Our site</h1>\n")


async def not_found(_request: Request, _error: Exception) -> HTMLResponse:
    return HTMLResponse("<h1>Not on our site</h1>\n", status_code=404)


def nothing(_environ: object, _start_response: object) -> list[bytes]:
    raise AssertionError("only /v2 is mounted")


# a2wsgi ends the input with the body, and does not say so: without `input_terminated` docker's chunked layers are
# refused. Each upload and download holds one of `workers` while it lasts.
registry = registry_wsgi.mount(
    nothing,
    {"storage": {"filesystem": {"rootdirectory": os.environ.get("SITE_REGISTRY", "data")}}},
    open_access=True,
    input_terminated=True,
)

site = Starlette(
    routes=[Route("/", index), Mount("/v2", WSGIMiddleware(registry, workers=32))],
    exception_handlers={404: not_found},
)
