"""Every fault of a store in everything that clients do, on the path of every day and on boto3's.

A client gets the right answer, or 503 with Retry-After; what it asks for again once the store is well succeeds; and
whatever happened, what can be reached is whole.
"""

from __future__ import annotations

import itertools
import random

import pytest
from registry_wsgi_s3.hot import HotCalls

from registry_wsgi import mediatypes
from registry_wsgi.testing._drivers_case import seeded
from tests.api.inprocess import InProcess
from tests.s3_proxy import FAULTS, PASSING
from tests.stack import image_manifest, stack_over
from tests.wire import digest_of, with_query

BLOB, CONFIG = seeded(6 * 2**20), b"{}"
MANIFEST = image_manifest(digest_of(CONFIG), digest_of(BLOB))
TYPE = {"Content-Type": mediatypes.OCI_MANIFEST}


class Client(InProcess):
    """A client that does things whole, and returns the first answer that is no success, or the last."""

    def upload(self):
        """Send a blob and return the answer with the Location at which it is to be committed."""
        answer = self.request("POST", "/v2/a/blobs/uploads/", b"")
        if answer.status == 202:
            answer = self.request("PATCH", answer.headers["Location"], BLOB)
        return answer

    def commit(self, location):
        answer = self.request("PUT", with_query(location, digest=digest_of(BLOB)), b"")
        return self.upload_and_commit() if answer.status == 404 else answer

    def upload_and_commit(self):
        answer = self.upload()
        return self.commit(answer.headers["Location"]) if answer.status == 202 else answer

    def push(self):
        answer = self.request("POST", f"/v2/a/blobs/uploads/?digest={digest_of(CONFIG)}", CONFIG)
        if answer.status == 201:
            answer = self.upload_and_commit()
        if answer.status == 201:
            answer = self.request("PUT", "/v2/a/manifests/v1", MANIFEST, TYPE)
        return answer

    def pull(self):
        for path, content in (
            ("manifests/v1", MANIFEST),
            (f"blobs/{digest_of(CONFIG)}", CONFIG),
            (f"blobs/{digest_of(BLOB)}", BLOB),
        ):
            answer = self.request("GET", f"/v2/a/{path}", None, {"Accept": mediatypes.OCI_MANIFEST})
            if answer.status != 200:
                break
            assert answer.body == content
        return answer

    def list(self):
        for path, members in (
            ("/v2/a/tags/list?n=10", {"name": "a", "tags": ["v1"]}),
            ("/v2/a/tags/list", {"name": "a", "tags": ["v1"]}),
            ("/v2/_catalog", {"repositories": ["a"]}),
        ):
            answer = self.request("GET", path)
            if answer.status != 200:
                break
            assert answer.json() == members
        return answer

    def remove(self):
        """Delete; what a try before this one has deleted is not there, which is as good."""
        for path in ("manifests/v1", f"manifests/{digest_of(MANIFEST)}", f"blobs/{digest_of(BLOB)}"):
            answer = self.request("DELETE", f"/v2/a/{path}")
            if answer.status not in (202, 404):
                break
        return answer


def check_whole(healthy, *, gone):
    """What can be reached is whole; with `gone`, what was deleted cannot."""
    client = InProcess(stack_over(healthy))
    statuses = []
    for path, content in (
        ("manifests/v1", MANIFEST),
        (f"manifests/{digest_of(MANIFEST)}", MANIFEST),
        (f"blobs/{digest_of(BLOB)}", BLOB),
    ):
        answer = client.request("GET", f"/v2/a/{path}", None, {"Accept": mediatypes.OCI_MANIFEST})
        statuses.append(answer.status)
        assert answer.status == 404 or answer.body == content
    if gone:
        assert statuses == [404, 404, 404]
    elif statuses[0] == 200:
        assert statuses == [200, 200, 200]


def prepared(action, faulty, healthy):
    """Return what does the action through the driver that is about to be faulty."""
    client = Client(stack_over(faulty))
    if action == "commit":
        location = client.upload().headers["Location"]
        return lambda: client.commit(location)
    if action != "push":
        assert Client(stack_over(healthy)).push().status == 201
    return {"push": client.push, "pull": client.pull, "list": client.list, "delete": client.remove}[action]


ACTIONS = ("push", "pull", "commit", "list", "delete")
PATHS = ("every day's", "boto3's")
chance = random.Random(12)


def matrix(names):
    """Return every action with every fault on either path; `make test` has time for one in eight, without waiting."""
    return [
        pytest.param(*each, marks=() if chance.random() < 0.12 and each[1] != "timeout" else pytest.mark.soak)
        for each in itertools.product(ACTIONS, names, PATHS)
    ]


@pytest.fixture
def path(request, faulty, monkeypatch):
    """Which calls are made."""
    if request.param == "boto3's":
        monkeypatch.setattr(HotCalls, "_first_try", lambda *arguments: None)
    return request.param


@pytest.mark.parametrize(("action", "name", "path"), matrix(PASSING), indirect=["path"])
def test_a_fault_that_passes_is_not_noticed(faulty, healthy, proxy, action, name, path):
    act = prepared(action, faulty, healthy)
    proxy.taken()
    proxy.fault = lambda call: PASSING[name] if call.number <= 2 else None
    assert act().status in (200, 201, 202)
    proxy.fault = lambda call: None
    check_whole(healthy, gone=action == "delete")


@pytest.mark.parametrize(("action", "name", "path"), matrix(FAULTS), indirect=["path"])
def test_a_fault_that_stays_is_a_503_and_harms_nothing(faulty, healthy, proxy, action, name, path):
    act = prepared(action, faulty, healthy)
    proxy.fault = lambda call: FAULTS[name]
    answer = act()
    if answer.status not in (200, 201, 202):
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5"), answer
        assert answer.json()["errors"][0]["code"] == "UNAVAILABLE"
    proxy.fault = lambda call: None
    check_whole(healthy, gone=False)
    assert act().status in (200, 201, 202) or action == "delete"
    check_whole(healthy, gone=action == "delete")
