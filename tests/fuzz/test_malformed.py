"""Requests that no client should send: never a 500, never a hang, always an error in the form of errors."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from registry_wsgi import mediatypes
from tests import storages
from tests.conformance.target import EMPTY_JSON, descriptor, digest_of, image_of
from tests.fuzz import requests
from tests.fuzz.requests import KEPT, KEPT_IMAGE, KEPT_LAYER, Answer, ask
from tests.stack import stack_over

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry_wsgi.interfaces import StorageDriver, WSGIApplication

# A request that takes this long on any machine hangs.
SECONDS = timedelta(seconds=30)
SHORT = settings(
    max_examples=1000,
    deadline=SECONDS,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
LONG = settings(SHORT, max_examples=100_000, derandomize=False)
HEADER_VALUE = re.compile(r"[\x20-\x7e\x80-\xff]*")


class Kept:
    """A registry with an image in it that must outlive every request."""

    def __init__(self, driver: StorageDriver) -> None:
        self.app: WSGIApplication = stack_over(driver).app
        self.push()

    def push(self) -> None:
        for content in (EMPTY_JSON, KEPT_LAYER):
            query = f"digest={digest_of(content)}"
            assert self.ask("POST", f"/v2/{KEPT}/blobs/uploads/", query, content).status == 201
        sha512 = f"digest={digest_of(KEPT_LAYER, 'sha512')}"
        assert self.ask("POST", f"/v2/{KEPT}/blobs/uploads/", sha512, KEPT_LAYER).status == 201
        assert self.ask("PUT", f"/v2/{KEPT}/manifests/kept", "", KEPT_IMAGE).status == 201

    def ask(self, method: str, path: str, query: str = "", body: bytes = b"", **extra: Any) -> Answer:
        return ask(self.app, method, path, query, body, extra)

    def check(self, answer: Answer, method: str) -> None:
        """Check that an answer is one, and that nothing that was stored is lost."""
        assert 200 <= answer.status < 500, answer
        for name, value in answer.headers:
            assert HEADER_VALUE.fullmatch(value), (name, value)
        length = answer.header("content-length")
        if method == "HEAD":
            assert answer.body == b""
        elif answer.status not in (204, 304):
            assert length == str(len(answer.body)), answer
        if answer.status >= 400 and method != "HEAD":
            assert answer.header("content-type") == "application/json"
            errors = json.loads(answer.body)["errors"]
            assert errors
            assert all(re.fullmatch(r"[A-Z_]+", error["code"]) for error in errors)
        if method == "DELETE" and answer.status == 202:
            self.push()
        for path, content in (
            (f"blobs/{digest_of(KEPT_LAYER)}", KEPT_LAYER),
            (f"manifests/{digest_of(KEPT_IMAGE)}", KEPT_IMAGE),
        ):
            kept = self.ask("GET", f"/v2/{KEPT}/{path}")
            assert (kept.status, kept.body) == (200, content)


@pytest.fixture(params=storages.kinds())
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(storages.driver_at(tmp_path_factory.mktemp("fuzz"), request.param))


def any_request(kept: Kept, profile: settings) -> None:
    @profile
    @given(requests.methods, requests.paths, requests.queries, requests.bodies, requests.headers)
    def sent(method: str, path: str, query: str, body: bytes, headers: dict[str, Any]) -> None:
        kept.check(kept.ask(method, path, query, body, **headers), method)

    sent()


def any_manifest(kept: Kept, profile: settings) -> None:
    @profile
    @given(
        requests.mutated_manifests(),
        st.sampled_from(["", *sorted(mediatypes.MANIFESTS)]),
        st.sampled_from(["", "*/*", "application/json", *sorted(mediatypes.MANIFESTS)]),
    )
    def pushed(payload: bytes, media_type: str, accept: str) -> None:
        answer = kept.ask("PUT", f"/v2/{KEPT}/manifests/fuzz", "", payload, CONTENT_TYPE=media_type)
        assert answer.status in (201, 400), answer
        kept.check(answer, "PUT")
        if answer.status == 201:
            pulled = kept.ask("GET", f"/v2/{KEPT}/manifests/{digest_of(payload)}", HTTP_ACCEPT="*/*")
            assert (pulled.status, pulled.body) == (200, payload)
            kept.check(kept.ask("GET", f"/v2/{KEPT}/manifests/fuzz", HTTP_ACCEPT=accept), "GET")
            subject = answer.header("oci-subject") or digest_of(KEPT_IMAGE)
            listed = kept.ask("GET", f"/v2/{KEPT}/referrers/{subject}")
            assert listed.status == 200, listed
            json.loads(listed.body)
            kept.check(kept.ask("DELETE", f"/v2/{KEPT}/manifests/{digest_of(payload)}"), "DELETE")

    pushed()


def any_upload(kept: Kept, profile: settings) -> None:
    """Send anything to a session that is open: it stays, or it is gone, and never is anything in between."""

    @profile
    @given(requests.methods, requests.queries, requests.bodies, requests.headers)
    def sent(method: str, query: str, body: bytes, headers: dict[str, Any]) -> None:
        location = kept.ask("POST", f"/v2/{KEPT}/blobs/uploads/").header("location") or ""
        assert kept.ask("PATCH", location, "", b"begun").status == 202
        kept.check(kept.ask(method, location, query, body, **headers), method)
        status = kept.ask("GET", location)
        assert status.status in (204, 404)
        if status.status == 204:
            assert re.fullmatch(r"0-[0-9]+", status.header("range") or "")
            assert kept.ask("DELETE", location).status == 204

    sent()


FUZZ = [any_request, any_manifest, any_upload]


@pytest.mark.parametrize("fuzz", FUZZ)
def test_no_request_breaks_the_registry(kept: Kept, fuzz: Callable[[Kept, settings], None]) -> None:
    fuzz(kept, settings(SHORT, max_examples=100 if fuzz is any_upload else 300))


@pytest.mark.soak
@pytest.mark.parametrize("fuzz", FUZZ)
def test_no_request_breaks_the_registry_in_the_long_run(kept: Kept, fuzz: Callable[[Kept, settings], None]) -> None:
    fuzz(kept, LONG)


# ── found once, asked ever since ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("member", ["annotations", "artifactType"])
def test_half_a_surrogate_pair_in_a_referrer_can_be_listed(member: str) -> None:
    """JSON can write what no encoding can: `\\ud800` alone."""
    kept = Kept(storages.new_driver())
    half = "\ud800"
    payload = image_of(
        EMPTY_JSON,
        subject=descriptor(KEPT_IMAGE, mediatypes.OCI_MANIFEST),
        **{member: {"half": half} if member == "annotations" else half},
    )
    assert kept.ask("PUT", f"/v2/{KEPT}/manifests/half", "", payload).status in (201, 400)
    answer = kept.ask("GET", f"/v2/{KEPT}/referrers/{digest_of(KEPT_IMAGE)}")
    assert answer.status == 200
    json.loads(answer.body)
