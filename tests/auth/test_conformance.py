"""Every controller passes the suite of `registry_wsgi.testing.access`."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
from joserfc.jwk import ECKey

from registry_wsgi.auth.challenge import basic_challenge
from registry_wsgi.auth.function import CallableController
from registry_wsgi.auth.htpasswd import HtpasswdController
from registry_wsgi.auth.issuer import IssuerController
from registry_wsgi.auth.silly import SillyController
from registry_wsgi.auth.token import TokenController
from registry_wsgi.context import Context
from registry_wsgi.errors import Denied
from registry_wsgi.interfaces import Access, Grant, TokenRequest
from registry_wsgi.testing.access import AccessControllerSuite, environ
from tests.auth import forge

if TYPE_CHECKING:
    from pathlib import Path

KEY = ECKey.generate_key("P-256")
REFUSED = (
    Access("repository", "a/b", "delete"),
    Access("repository", "a/b", "*"),
    Access("repository", "a", "pull"),
    Access("repository", "a/b/c", "pull"),
    Access("registry", "a/b", "pull"),
    Access("registry", "catalog", "*"),
)


def basic(user: str, password: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def may(access: Access) -> bool:
    return access in AccessControllerSuite.granted


def decide(environ: dict[str, Any], access: tuple[Access, ...]) -> Grant:
    if environ.get("HTTP_AUTHORIZATION") != "Key alice":
        raise basic_challenge("the host", access)
    if not all(map(may, access)):
        raise Denied("not for alice")
    return Grant("alice", may)


class TestSilly(AccessControllerSuite):
    user = "silly"
    takes_any_header = True

    @pytest.fixture
    def controller(self) -> SillyController:
        return SillyController(realm="R", service="S")

    @pytest.fixture
    def credentials(self) -> dict[str, str]:
        return {"HTTP_AUTHORIZATION": "anything"}


class TestHtpasswd(AccessControllerSuite):
    @pytest.fixture
    def controller(self, tmp_path: Path) -> HtpasswdController:
        path = tmp_path / "htpasswd"
        path.write_text(f"alice:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
        return HtpasswdController(realm="R", path=str(path))

    @pytest.fixture
    def credentials(self) -> dict[str, str]:
        return basic("alice", "secret")

    @pytest.fixture
    def wrong_credentials(self) -> dict[str, str]:
        return basic("alice", "wrong")


class TestCallable(AccessControllerSuite):
    refused = REFUSED

    @pytest.fixture
    def controller(self) -> CallableController:
        return CallableController(function=decide)

    @pytest.fixture
    def credentials(self) -> dict[str, str]:
        return {"HTTP_AUTHORIZATION": "Key alice"}

    @pytest.fixture
    def wrong_credentials(self) -> dict[str, str]:
        return {"HTTP_AUTHORIZATION": "Key bob"}


class TestToken(AccessControllerSuite):
    refused = REFUSED

    @pytest.fixture
    def controller(self, tmp_path: Path) -> TokenController:
        bundle = tmp_path / "bundle.pem"
        bundle.write_bytes(forge.pem(forge.certificate(KEY)))
        return TokenController(
            realm="https://auth", service=forge.SERVICE, issuer=forge.ISSUER, rootcertbundle=str(bundle)
        )

    @pytest.fixture
    def credentials(self) -> dict[str, str]:
        return forge.bearer(forge.token(KEY, forge.claims(), kid=forge.kid_of(KEY)))

    @pytest.fixture
    def wrong_credentials(self) -> dict[str, str]:
        return forge.bearer(
            forge.token(KEY, forge.claims(exp=int(time.time()) - 1000), kid=forge.kid_of(KEY)),
        )


class TestIssuer(AccessControllerSuite):
    refused = REFUSED

    @pytest.fixture
    def controller(self, tmp_path: Path) -> IssuerController:
        users = CallableController(function=decide)
        return IssuerController(service=forge.SERVICE, keys=str(tmp_path / "keys"), users=users)

    @pytest.fixture
    def credentials(self, controller: IssuerController) -> dict[str, str]:
        request = TokenRequest(("repository:a/b:pull,push,delete,* repository:a:pull registry:catalog:*",))
        known = environ({"HTTP_AUTHORIZATION": "Key alice"})
        return forge.bearer(str(controller.issue(Context(), known, request)["token"]))

    @pytest.fixture
    def wrong_credentials(self) -> dict[str, str]:
        return forge.bearer(forge.token(KEY, forge.claims(iss="registry-wsgi"), kid=forge.kid_of(KEY)))
