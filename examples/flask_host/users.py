"""The same site with users of its own, who are the registry's, too: `gunicorn users:app`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flask import Flask, redirect, request, session
from werkzeug.security import check_password_hash, generate_password_hash

import registry_wsgi
from registry_wsgi.auth.challenge import basic_challenge
from registry_wsgi.errors import Denied
from registry_wsgi.interfaces import Access, Grant

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from flask.typing import ResponseReturnValue

# The site's own, as it was before the registry came: users log in with a form, and have a session then.

app = Flask(__name__)
app.secret_key = os.environ.get("SITE_SECRET", "for trying out")
USERS = {
    name: generate_password_hash(password)
    for name, password in [each.split(":") for each in os.environ.get("SITE_USERS", "").split()]
}


def check(name: str | None, password: str | None) -> bool:
    return name in USERS and check_password_hash(USERS[name], password or "")


@app.get("/")
def index() -> str:
    return f"<h1>Our site</h1>\n<p>{session.get('user', 'nobody')}</p>\n"


@app.post("/login")
def login() -> ResponseReturnValue:
    if not check(request.form.get("name"), request.form.get("password")):
        return "<h1>Not you</h1>\n", 403
    session["user"] = request.form["name"]
    return redirect("/")


# The registry: a browser comes with the session, clients with name and password. Everybody here pulls, and pushes
# below their own name.


def authorize(environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
    with app.request_context(environ):
        given = request.authorization
        user = session.get("user") if given is None else given.username if check(given.username, given.password) else ""
    if not user:
        raise basic_challenge("our site", access)

    def may(wanted: Access) -> bool:
        return wanted.type == "registry" or wanted.action == "pull" or wanted.name.startswith(f"{user}/")

    if not all(map(may, access)):
        raise Denied(f"{user} may push below {user}/", user=user)
    return Grant(user, may)


REGISTRY = {"storage": {"filesystem": {"rootdirectory": os.environ.get("SITE_REGISTRY", "data")}}}
app.wsgi_app = registry_wsgi.mount(app.wsgi_app, REGISTRY, access=authorize)  # type: ignore[method-assign, assignment]
