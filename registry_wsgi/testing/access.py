"""The conformance suite of access controllers.

    class TestMyController(AccessControllerSuite):
        @pytest.fixture
        def controller(self):
            ...
        @pytest.fixture
        def credentials(self, granted):
            ...  # what a client adds to the environ, such as {"HTTP_AUTHORIZATION": "Basic …"}

Whatever is wrong with a request, a controller raises Unauthorized or Denied, or lets it in: it never fails.
"""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from registry_wsgi.context import Context
from registry_wsgi.errors import Denied, Unauthorized
from registry_wsgi.interfaces import Access

if TYPE_CHECKING:
    from registry_wsgi.errors import RegistryError
    from registry_wsgi.interfaces import AccessController

__all__ = ["MALFORMED", "AccessControllerSuite"]


def _basic(content: bytes) -> str:
    return "Basic " + base64.b64encode(content).decode()


MALFORMED = {
    "a blank": " ",
    "a scheme alone": "Basic",
    "another scheme alone": "Bearer",
    "a scheme and a blank": "Bearer ",
    "an unknown scheme": "Digest username=alice",
    "no base64": "Basic !!!",
    "no colon": _basic(b"alice"),
    "a NUL in the name": _basic(b"alice\0:secret"),
    "a NUL in the password": _basic(b"alice:secret\0"),
    "no UTF-8": _basic(b"alice:\xff\xfe"),
    "bytes above ASCII": "Bearer \xff\xfe.\xe9.\x80",
    "a NUL in the header": "Bearer a.b\0.c",
    "two users": f"{_basic(b'alice:secret')}, {_basic(b'bob:secret')}",
    "two tokens": "Bearer e30.e30.e30, Bearer e30.e30.e30",
    "two schemes": f"{_basic(b'alice:secret')}, Bearer e30.e30.e30",
    "three words": "Bearer e30.e30.e30 more",
    "a token that is none": "Bearer token",
    "empty parts": "Bearer ..",
    "a header that is no object": "Bearer MQ.e30.e30",
    "a header that is a list": "Bearer WyJhbGciXQ.e30.e30",
    "a header that is text": "Bearer ImFsZyI.e30.e30",
    "a header nested deeply": "Bearer " + base64.urlsafe_b64encode(b"[" * 9000).decode().rstrip("=") + ".e30.e30",
    "a huge user": _basic(b"a" * 100_000 + b":secret"),
    "a huge password": _basic(b"alice:" + b"a" * 100_000),
    "a huge token": "Bearer " + "a" * 1_000_000,
    "line breaks": "Basic YTpi\r\nX: y",
}
"""Values of an Authorization header that mean nobody, each by what is wrong with it."""


class AccessControllerSuite:
    """What an `AccessController` has to do. Subclass it and give fixtures:

    * `controller`;
    * `credentials`: what is added to the environ of a request by a user who may do `granted`;
    * `wrong_credentials`: the same of somebody who is nobody, in the right form; without it that is not tested.

    A subclass may say:

    * `user`: the name of the user with `credentials`, "alice" unless said;
    * `granted`: a tuple of Access that they may;
    * `refused`: a tuple of Access that they may not, empty where everyone may everything;
    * `anonymous`: whether somebody without credentials is let in, False unless said;
    * `takes_any_header = True`: any Authorization header is fine.
    """

    user = "alice"
    granted: tuple[Access, ...] = (Access("repository", "a/b", "pull"), Access("repository", "a/b", "push"))
    refused: tuple[Access, ...] = ()
    anonymous = False
    takes_any_header = False

    @pytest.fixture
    def controller(self) -> Any:
        raise NotImplementedError("give a fixture `controller`")

    @pytest.fixture
    def credentials(self) -> Any:
        raise NotImplementedError("give a fixture `credentials`: what a known user's request has in its environ")

    @pytest.fixture
    def wrong_credentials(self) -> Any:
        pytest.skip("no fixture `wrong_credentials`: those of nobody, in the right form")

    @pytest.fixture
    def ctx(self) -> Context:
        return Context()

    def test_right_credentials_alone_tell_who_it_is(
        self, controller: AccessController, ctx: Context, credentials: dict[str, str]
    ) -> None:
        assert controller.authorize(ctx, environ(credentials), ()).user == self.user

    def test_what_a_user_may_is_granted(
        self, controller: AccessController, ctx: Context, credentials: dict[str, str]
    ) -> None:
        grant = controller.authorize(ctx, environ(credentials), self.granted)
        assert grant.user == self.user
        assert all(map(grant.may, self.granted))

    def test_what_a_user_may_not_is_refused_alone_and_among_what_they_may(
        self, controller: AccessController, ctx: Context, credentials: dict[str, str]
    ) -> None:
        for access in self.refused:
            for asked in ((access,), (*self.granted, access), (access, *self.granted)):
                with pytest.raises((Unauthorized, Denied)) as raised:
                    controller.authorize(ctx, environ(credentials), asked)
                _is_a_challenge(raised.value)

    def test_a_grant_says_of_everything_what_asking_for_it_says(
        self, controller: AccessController, ctx: Context, credentials: dict[str, str]
    ) -> None:
        for asked in ((), self.granted):
            grant = controller.authorize(ctx, environ(credentials), asked)
            for access in (*self.granted, *self.refused):
                assert grant.may(access) == _granted(controller, ctx, credentials, access), access

    def test_nobody_gets_what_a_user_may(self, controller: AccessController, ctx: Context) -> None:
        if self.anonymous:
            pytest.skip("nobody may do something here")
        for asked in ((), self.granted):
            with pytest.raises(Unauthorized) as raised:
                controller.authorize(ctx, environ({}), asked)
            _is_a_challenge(raised.value)

    def test_a_refusal_lists_what_was_asked_for(self, controller: AccessController, ctx: Context) -> None:
        if self.anonymous:
            pytest.skip("nobody may do something here")
        with pytest.raises(Unauthorized) as raised:
            controller.authorize(ctx, environ({}), self.granted)
        assert raised.value.detail == [
            {"Type": each.type, "Class": "", "Name": each.name, "Action": each.action} for each in self.granted
        ]

    def test_wrong_credentials_are_refused_however_often(
        self, controller: AccessController, ctx: Context, wrong_credentials: dict[str, str]
    ) -> None:
        for asked in ((), self.granted, self.granted):
            with pytest.raises(Unauthorized) as raised:
                controller.authorize(ctx, environ(wrong_credentials), asked)
            _is_a_challenge(raised.value)

    @pytest.mark.parametrize("header", MALFORMED.values(), ids=MALFORMED.keys())
    def test_a_malformed_header_is_nobodys(self, controller: AccessController, ctx: Context, header: str) -> None:
        if self.takes_any_header:
            pytest.skip("any header will do here")
        with pytest.raises(Unauthorized) as raised:
            controller.authorize(ctx, environ({"HTTP_AUTHORIZATION": header}), self.granted)
        _is_a_challenge(raised.value)

    def test_right_credentials_joined_with_others_are_nobodys(
        self, controller: AccessController, ctx: Context, credentials: dict[str, str]
    ) -> None:
        header = credentials.get("HTTP_AUTHORIZATION")
        if self.takes_any_header or header is None:
            pytest.skip("there is no one header that says who it is")
        for joined in (f"{header}, {header}", f"{header},{header}", f"Basic eDp5, {header}", f"{header} {header}"):
            with pytest.raises(Unauthorized):
                controller.authorize(ctx, environ({"HTTP_AUTHORIZATION": joined}), self.granted)

    def test_requests_at_the_same_time_get_their_own_answers(
        self, controller: AccessController, ctx: Context, credentials: dict[str, str]
    ) -> None:
        def ask(number: int) -> bool:
            return _granted(controller, Context(), credentials if number % 2 else {}, self.granted[0])

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(64)))
        assert all(answers[1::2])
        assert self.anonymous or not any(answers[::2])


def environ(credentials: dict[str, str]) -> dict[str, Any]:
    """Return the environ of a request with these credentials."""
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/v2/",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "registry.example.com",
        "SERVER_PORT": "443",
        "HTTP_HOST": "registry.example.com",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "https",
        **credentials,
    }


def _granted(controller: AccessController, ctx: Context, credentials: dict[str, str], access: Access) -> bool:
    try:
        controller.authorize(ctx, environ(credentials), (access,))
    except (Unauthorized, Denied):
        return False
    return True


def _is_a_challenge(error: RegistryError) -> None:
    """A 401 says how to log in (RFC 9110 §15.5.2), in a header that no client's words can break out of."""
    if isinstance(error, Unauthorized):
        header = error.headers["WWW-Authenticate"]
        assert header.isprintable(), header
        assert header.isascii(), header
