"""The Flask application in the middle of the stack: every route leads to one function of one resource's module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter
from werkzeug.wsgi import get_path_info

from registry_wsgi.api import base, blobs, catalog, manifests, referrers, tags, uploads
from registry_wsgi.api.call import Call, Options
from registry_wsgi.api.respond import API_VERSION, Answer, envelope, refusal, unavailable, warning_headers
from registry_wsgi.context import ENVIRON_KEY
from registry_wsgi.errors import (
    DriverError,
    RegistryError,
    RegistryErrors,
    RouteUnknown,
    Unsupported,
)
from registry_wsgi.routes import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from registry_wsgi.interfaces import Namespace

    Methods = Mapping[str, Callable[[Call], Answer]]

_RESOURCES: dict[Resource, Methods] = {
    Resource.BASE: base.METHODS,
    Resource.BLOB: blobs.METHODS,
    Resource.MANIFEST: manifests.METHODS,
    Resource.UPLOADS: uploads.COLLECTION_METHODS,
    Resource.UPLOAD: uploads.METHODS,
    Resource.TAGS: tags.METHODS,
    Resource.CATALOG: catalog.METHODS,
    Resource.REFERRERS: referrers.METHODS,
}
_READING = frozenset({"GET", "HEAD"})
_STRAIGHT = frozenset({Resource.UPLOADS, Resource.UPLOAD})
"""What goes around Flask: a small layer is three such requests, each of which Flask's contexts and its one rule cost
130 µs of 480."""


class _Carrier(Response):
    """Takes an answer through Flask, which knows its own responses only, as it is."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(status=answer.status, headers=answer.headers)
        self._answer = answer

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._answer(environ, start_response)


class _AnyPath(BaseConverter):
    """Every path there is, one with a newline too: it has been parsed already, by the outermost layer."""

    regex = r"[\s\S]*"
    part_isolating = False


def create_core(namespace: Namespace, options: Options | None = None) -> Flask:
    """Return the Flask application that serves `namespace`. The Context must be in the environ."""
    core = Flask("registry_wsgi", static_folder=None)
    core.url_map.merge_slashes = False
    core.config["PROPAGATE_EXCEPTIONS"] = True  # what must not happen the outermost layer logs and answers
    core.url_map.converters["any_path"] = _AnyPath
    # A rule without methods takes every method, and Flask answers none of them itself.
    core.url_map.add(core.url_rule_class("/<any_path:path>", endpoint="resource"))
    chosen = options or Options()
    added = [API_VERSION, *chosen.headers]

    def respond(environ: WSGIEnvironment) -> Answer:
        call = Call(environ[ENVIRON_KEY], environ, namespace, chosen)
        try:
            answer = _handler(call)(call)
        except (RegistryError, RegistryErrors) as error:
            answer = _refused(call, error)
        except DriverError as error:
            call.ctx.error(f"the storage driver failed: {error}")
            answer = _refused(call, unavailable(error.driver))
        answer.headers += added
        if call.warnings:
            answer.headers += warning_headers(call.warnings)
        return answer

    @core.endpoint("resource")
    def resource(path: str) -> Response:  # noqa: ARG001
        return _Carrier(respond(request.environ))

    @core.errorhandler(HTTPException)
    def refused_by_werkzeug(error: HTTPException) -> Response:
        status, headers, body = envelope(Unsupported(error.description))
        return _Carrier(Answer(error.code or status, [*headers.items(), API_VERSION], [body]))

    # Flask documents this as the way to put a layer inside its application.
    core.wsgi_app = _around(core.wsgi_app, respond)  # type: ignore[assignment,method-assign]
    return core


def _around(flask: WSGIApplication, respond: Callable[[WSGIEnvironment], Answer]) -> WSGIApplication:
    """Return what has uploads answered by `respond` at once, and everything else by Flask."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ[ENVIRON_KEY].route.resource not in _STRAIGHT:
            return flask(environ, start_response)
        return respond(environ)(environ, start_response)

    return application


def _handler(call: Call) -> Callable[[Call], Answer]:
    """Return the function for the request. Raises RouteUnknown, Unsupported."""
    # A method is told by its case (RFC 9110 §9.1). werkzeug takes `delete` for DELETE, which access control did not.
    route, method = call.ctx.route, call.method
    methods = _RESOURCES.get(route.resource)
    if methods is None:
        raise RouteUnknown(f"there is nothing at {get_path_info(call.environ)[:200]!r}")
    if call.options.read_only and method not in _READING and method in methods:
        raise _not_allowed(methods.keys() & _READING, "the registry is read-only: storage.maintenance.readonly")
    if method not in methods:
        raise _not_allowed(methods.keys(), f"{method[:40]} is not supported here")
    return methods[method]


def _not_allowed(methods: Iterable[str], detail: str) -> Unsupported:
    allowed = _listed(methods)
    return Unsupported(f"{detail}; allowed: {allowed}", headers={"Allow": allowed})


def _listed(methods: Iterable[str]) -> str:
    return ", ".join(sorted(methods))


def _refused(call: Call, error: RegistryError | RegistryErrors) -> Answer:
    """Return the error as a response, after reading what little of the body is left."""
    status, headers, body = refusal(call.ctx, error)
    if status == 405:  # RFC 9110 §15.5.6 wants to hear what is allowed; storage, which may refuse too, cannot know
        headers.setdefault("Allow", _listed(_RESOURCES[call.ctx.route.resource].keys() - {call.method}))
    _discard_body(call)
    return Answer(status, list(headers.items()), [body])


def _discard_body(call: Call) -> None:
    try:
        call.body.discard()
    except RegistryError:
        return  # a body whose length cannot be told is left to the server
