"""`/v2/` itself (end-1), headers that every response has, and the read-only mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from webtest import TestApp

from registry_wsgi import config, mediatypes
from registry_wsgi.api.call import Options
from registry_wsgi.app import build
from registry_wsgi.cache.inmemory import InMemoryCacheProvider
from registry_wsgi.storage.registry import Registry
from tests import storages
from tests.api.inprocess import InProcess
from tests.stack import image_manifest, stack_over
from tests.wire import digest_of, with_query

if TYPE_CHECKING:
    from tests.wire import Response

CONTENT = b"{}"
DIGEST = digest_of(CONTENT)
IMAGE = image_manifest(DIGEST)


@pytest.mark.parametrize("path", ["/v2/", "/v2"])
def test_the_base_says_that_here_is_a_registry(client: InProcess, path: str) -> None:
    answer = client.request("GET", path)
    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Docker-Distribution-API-Version"] == "registry/2.0"


def test_configured_headers_are_on_every_response() -> None:
    app = build(config.load({"storage": storages.new_section(), "http": {"headers": {"X-One": ["a", "b"]}}}))
    client = InProcess(TestApp(app))
    for path in ("/v2/", "/v2/nothing/tags/list"):
        assert client.request("GET", path).headers.get_all("X-One") == ["a", "b"]


@pytest.mark.parametrize("target", [f"blobs/{DIGEST}", "blobs/uploads/x", "manifests/v1"])
def test_a_defect_is_a_500_that_tells_nothing_and_a_panic_in_the_log(
    target: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = InProcess(stack_over(storages.new_driver()))
    monkeypatch.setattr(Registry, "repository", None)
    answer = client.request("GET", f"/v2/a/{target}")
    assert (answer.status, answer.json()) == (500, {"errors": [{"code": "UNKNOWN", "message": "unknown error"}]})
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]


# ── read-only ─────────────────────────────────────────────────────────────────────────────────


def test_a_read_only_registry_serves_what_it_has() -> None:
    client, _ = read_only()
    assert client.manifest("a", "v1").body == IMAGE
    assert client.blob("a", DIGEST).body == CONTENT
    assert client.tags("a").json()["tags"] == ["v1"]
    assert client.catalog() == ["a"]


def test_a_read_only_registry_refuses_whatever_writes() -> None:
    client, upload = read_only()
    headers = {"Content-Type": mediatypes.OCI_MANIFEST}
    answers = {
        "PUT manifest": client.request("PUT", "/v2/a/manifests/v2", IMAGE, headers),
        "DELETE manifest": client.request("DELETE", "/v2/a/manifests/v1"),
        "DELETE blob": client.request("DELETE", f"/v2/a/blobs/{DIGEST}"),
        "POST upload": client.request("POST", "/v2/a/blobs/uploads/", b""),
        "mount": client.request("POST", f"/v2/b/blobs/uploads/?mount={DIGEST}&from=a", b""),
        "PATCH": client.request("PATCH", upload, b"more"),
        "PUT upload": client.request("PUT", with_query(upload, digest=digest_of(b"begun")), b""),
        "DELETE upload": client.request("DELETE", upload),
    }
    for what, answer in answers.items():
        assert (what, answer.status, code(answer)) == (what, 405, "UNSUPPORTED")
        assert not {"PUT", "POST", "PATCH", "DELETE"}.intersection(answer.headers["Allow"].split(", "))
    assert client.manifest("a", "v1").body == IMAGE
    assert client.request("GET", upload).headers["Range"] == "0-4"
    assert client.catalog() == ["a"]


def read_only() -> tuple[InProcess, str]:
    """Return a client of a registry with an image and an upload begun, which became read-only since."""
    driver, cache = storages.new_driver(), InMemoryCacheProvider()
    before = InProcess(stack_over(driver, cache=cache))
    before.push_blob("a", CONTENT)
    before.push_manifest("a", "v1", IMAGE, mediatypes.OCI_MANIFEST)
    upload = before.request("PATCH", before.start_upload("a"), b"begun").headers["Location"]
    return InProcess(stack_over(driver, cache=cache, options=Options(read_only=True))), upload


def code(answer: Response) -> str:
    return answer.json()["errors"][0]["code"]
