"""A Django site with a registry under /v2/, for the site's own users: `gunicorn app:application`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

import registry_wsgi
from registry_wsgi.auth.challenge import basic_challenge, basic_credentials
from registry_wsgi.auth.function import CallableController
from registry_wsgi.auth.issuer import IssuerController
from registry_wsgi.errors import Denied
from registry_wsgi.interfaces import Access, Grant

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# The site's own, as it was before the registry came; in one file, where a site of yours has a project.

DATA = os.environ.get("SITE_DATA", "data")
os.makedirs(DATA, exist_ok=True)
settings.configure(
    SECRET_KEY=os.environ.get("SITE_SECRET", "for trying out"),
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(DATA, "site.sqlite3")}},
)
django.setup()

from django.contrib.auth import authenticate, get_user_model  # noqa: E402 - needs the settings
from django.db import close_old_connections  # noqa: E402


def index(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"<h1>Our site</h1>\n<p>{get_user_model().objects.count()} users</p>\n")


urlpatterns = [path("", index)]

call_command("migrate", verbosity=0)
for name, password in [pair.split(":") for pair in os.environ.get("SITE_USERS", "").split() if pair]:
    if not get_user_model().objects.filter(username=name).exists():
        get_user_model().objects.create_user(name, password=password)

# The registry: whoever has an account may pull, push below their own name, and staff may do everything.


def authorize(environ: WSGIEnvironment, access: tuple[Access, ...]) -> Grant:
    close_old_connections()  # Django does so for its own requests, of which this is none
    name, password = basic_credentials(environ) or ("", "")
    user = authenticate(username=name, password=password)
    if user is None:
        raise basic_challenge("our site", access)

    def may(wanted: Access) -> bool:
        return (
            user.is_staff or wanted.type == "registry" or wanted.action == "pull" or wanted.name.startswith(f"{name}/")
        )

    if not all(map(may, access)):
        raise Denied(f"{name} may push below {name}/", user=name)
    return Grant(name, may)


# A password takes Django a while to check, on purpose: it is checked once, for a token that is good for minutes.
tokens = IssuerController(
    service="our-site",
    keys=os.path.join(DATA, "keys"),
    path="/v2/auth/token",
    users=CallableController(function=authorize),
)
REGISTRY = {"storage": {"filesystem": {"rootdirectory": os.path.join(DATA, "registry")}}}
application = registry_wsgi.mount(get_wsgi_application(), REGISTRY, access=tokens)
