"""Each fault and each quirk, as a client meets it over a real connection."""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.errors import ConfigurationError
from tests.wire import Client, digest_of, with_query

if TYPE_CHECKING:
    from registry_wsgi.testing.served import ServedRegistry
    from tests.conftest import Serve
    from tests.wire import Response


# ── which requests are struck ─────────────────────────────────────────────────────────────────


def test_a_failure_has_the_status_the_headers_and_an_error_in_the_registrys_form(
    served: ServedRegistry, client: Client
) -> None:
    served.fail(status=429, headers={"Retry-After": 1})
    answer = client.request("GET", "/v2/")
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Docker-Distribution-API-Version"] == "registry/2.0"
    assert [error["code"] for error in answer.json()["errors"]] == ["TOOMANYREQUESTS"]


def test_a_failure_may_have_a_status_that_no_standard_names_and_a_code_of_ones_own(
    served: ServedRegistry, client: Client
) -> None:
    served.fail(status=520, code="TOASTER")
    answer = client.request("GET", "/v2/")
    assert (answer.status, answer.json()["errors"][0]["code"]) == (520, "TOASTER")


def test_the_answer_to_head_has_no_body(served: ServedRegistry, client: Client) -> None:
    served.fail(status=503)
    answer = client.request("HEAD", "/v2/")
    assert (answer.status, answer.body) == (503, b"")


def test_as_many_requests_are_struck_as_was_said_after_those_that_are_spared(
    served: ServedRegistry, client: Client
) -> None:
    served.fail(status=500, times=2, after=1)
    assert [client.request("GET", "/v2/").status for _ in range(5)] == [200, 500, 500, 200, 200]


def test_only_requests_of_the_methods_and_the_path_are_struck(served: ServedRegistry, client: Client) -> None:
    served.fail(on="patch, PUT", path="/v2/*/blobs/uploads/*")
    location = client.start_upload("a/b")
    assert client.request("PATCH", location, b"content").status == 503
    assert client.request("GET", location).status == 204
    assert client.request("PUT", "/v2/a/b/manifests/v1", b"").status == 400


def test_of_several_faults_each_counts_its_own_requests_and_all_end_with_a_reset(
    served: ServedRegistry, client: Client
) -> None:
    served.fail(status=500, times=1)
    served.fail(status=429, times=1)
    assert [client.request("GET", "/v2/").status for _ in range(3)] == [429, 500, 200]
    served.fail(status=418)
    served.reset()
    assert client.request("GET", "/v2/").status == 200


def test_no_fault_strikes_what_a_test_pushes_itself(served: ServedRegistry) -> None:
    served.fail()
    image = served.push_image("a:v1", [b"layer"])
    assert served.manifest("a", "v1").digest == image.digest
    assert served.requests == []


# ── slow, cut, wrong ──────────────────────────────────────────────────────────────────────────


def test_an_answer_begins_late(served: ServedRegistry, client: Client) -> None:
    served.slow(delay=0.3, times=1)
    started = time.monotonic()
    assert client.request("GET", "/v2/").status == 200
    assert time.monotonic() - started >= 0.3


def test_a_body_trickles_and_is_whole(served: ServedRegistry, client: Client) -> None:
    digest = served.push_blob("a", b"x" * 4000)
    served.slow(rate=10_000)
    started = time.monotonic()
    assert client.blob("a", digest).body == b"x" * 4000
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("at", [0, 1, 5000, 300_000])
def test_an_answer_breaks_off_at_a_byte(served: ServedRegistry, client: Client, at: int) -> None:
    digest = served.push_blob("a", b"x" * 400_000)
    served.cut(at=at, path="/v2/a/blobs/*", times=1)
    with pytest.raises(http.client.IncompleteRead) as raised:
        client.blob("a", digest)
    assert len(raised.value.partial) == at
    assert len(client.blob("a", digest).body) == 400_000


def test_a_request_breaks_off_at_a_byte_without_an_answer_and_the_upload_goes_on_from_there(
    served: ServedRegistry, client: Client
) -> None:
    content = b"x" * 300_000
    location = client.start_upload("a")
    served.cut(at=123_456, of="request", on="PATCH", times=1)
    with pytest.raises((http.client.BadStatusLine, ConnectionError)):
        client.request("PATCH", location, content)
    assert client.request("GET", location).headers["Range"] == "0-123455"
    headers = {"Content-Range": f"123456-{len(content) - 1}"}
    assert client.request("PATCH", location, content[123_456:], headers).status == 202
    assert client.request("PUT", with_query(location, digest=digest_of(content))).status == 201


def test_a_digest_is_wrong_or_not_there(served: ServedRegistry, client: Client) -> None:
    digest = served.push_blob("a", b"content")
    served.use("fault-digest", times=1)
    served.use("fault-digest", value="", times=1, after=1)
    wrong, missing, right = (client.blob("a", digest) for _ in range(3))
    assert [each.headers["Docker-Content-Digest"] for each in (wrong, missing, right)] == [
        f"sha256:{'0' * 64}",
        None,
        digest,
    ]
    assert {each.body for each in (wrong, missing, right)} == {b"content"}


# ── quirks ────────────────────────────────────────────────────────────────────────────────────


def tagged(served: ServedRegistry, number: int) -> list[str]:
    """Store an image under so many tags and return them."""
    tags = [f"v{n:04}" for n in range(number)]
    for tag in tags:
        served.push_image(f"a/b:{tag}", [b"layer"])
    return tags


def next_page(answer: Response) -> str:
    return answer.headers["Link"].partition("<")[2].partition(">")[0]


def test_lists_come_in_pages_that_only_links_lead_through(served: ServedRegistry, client: Client) -> None:
    tags = tagged(served, 250)
    served.use("quirk-pages")
    target, found, pages = "/v2/a/b/tags/list", [], []
    while target:
        page = client.request("GET", target)
        found += page.json()["tags"]
        pages.append(len(page.json()["tags"]))
        target = next_page(page) if "Link" in page.headers else ""
    assert found == tags
    assert pages == [100, 100, 50]


def test_a_page_that_is_too_long_is_refused_and_a_tag_is_no_token(served: ServedRegistry, client: Client) -> None:
    tagged(served, 1)
    served.use("quirk-pages")
    for query in ("n=1001", "last=v0001"):
        answer = client.request("GET", f"/v2/a/b/tags/list?{query}")
        assert (answer.status, answer.json()["errors"][0]["code"]) == (405, "UNSUPPORTED")
    assert client.request("GET", "/v2/a/b/tags/list?n=1000").json()["tags"] == ["v0000"]


def test_pages_may_be_of_another_size_and_have_plain_links(served: ServedRegistry, client: Client) -> None:
    tagged(served, 3)
    served.use("quirk-pages", default=2, most=2, opaque=False)
    query = parse_qs(urlsplit(next_page(client.tags("a/b"))).query)
    assert query == {"n": ["2"], "last": ["v0001"]}


def test_no_link_says_that_a_list_goes_on(served: ServedRegistry, client: Client) -> None:
    tagged(served, 3)
    assert "Link" in client.request("GET", "/v2/a/b/tags/list?n=2").headers
    served.use("quirk-no-link")
    answer = client.request("GET", "/v2/a/b/tags/list?n=2")
    assert (answer.json()["tags"], answer.headers["Link"]) == (["v0000", "v0001"], None)


@pytest.mark.parametrize("relative", [True, False])
def test_locations_are_relative_or_absolute_whatever_the_registry_does(start: Any, relative: bool) -> None:
    served = start(config={"http": {"relativeurls": relative}})
    client = Client(served.url)
    served.use("quirk-location", form="absolute")
    assert client.start_upload("a").startswith(f"{served.url}/v2/a/blobs/uploads/")
    served.reset()
    served.use("quirk-location", form="relative")
    assert client.start_upload("a").startswith("/v2/a/blobs/uploads/")


@pytest.mark.parametrize(("case", "name"), [("upper", b"\nDOCKER-CONTENT-DIGEST: "), ("lower", b"\ncontent-length: ")])
def test_the_names_of_headers_are_in_one_case(served: ServedRegistry, case: str, name: bytes) -> None:
    digest = served.push_blob("a", b"content")
    served.use("quirk-header-names", case=case)
    address, port = served.host.split(":")
    with closing(socket.create_connection((address, int(port)), timeout=60)) as connection:
        connection.sendall(f"GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: {served.host}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert name in answer


def test_a_registry_without_referrers_lists_none_and_promises_none(served: ServedRegistry, client: Client) -> None:
    image = served.push_image("a:v1", [b"layer"])
    served.push_artifact("a", "application/vnd.example", {"name": "content"}, subject=image)
    referrer = served.referrers("a", image.digest)[0]
    payload = served.manifest("a", referrer.digest).payload
    push = ("PUT", f"/v2/a/manifests/{referrer.digest}", payload, {"Content-Type": mediatypes.OCI_MANIFEST})
    assert client.request(*push).headers["OCI-Subject"] == image.digest
    served.use("quirk-no-referrers")
    assert client.request(*push).headers["OCI-Subject"] is None
    assert client.request("GET", f"/v2/a/referrers/{image.digest}").status == 404


def test_blobs_are_on_another_host_that_refuses_the_credentials_of_this_one(
    served: ServedRegistry, client: Client
) -> None:
    digest = served.push_blob("a", b"content")
    elsewhere = served.redirect_blobs()
    answer = client.blob("a", digest)
    assert (answer.status, answer.body) == (307, b"")
    location = answer.headers["Location"]
    assert location.startswith(f"{elsewhere.url}/v2/a/blobs/{digest}?")
    other = Client(elsewhere.url.replace("localhost", "127.0.0.1"))
    assert other.request("GET", location).body == b"content"
    assert other.request("GET", location, headers={"Authorization": "Basic eDp5"}).status == 400
    assert [request.status for request in elsewhere.requests] == [200, 400]
    assert client.blob("a", digest_of(b"missing")).status == 404


def test_a_chunk_below_the_minimum_can_only_be_the_last(served: ServedRegistry, client: Client) -> None:
    served.use("quirk-chunk-minimum", minimum=5)
    content = b"12345678"
    begun = client.request("POST", "/v2/a/blobs/uploads/", b"")
    assert begun.headers["OCI-Chunk-Min-Length"] == "5"
    location = begun.headers["Location"]
    assert client.request("PATCH", location, content[:5], {"Content-Range": "0-4"}).status == 202
    assert client.request("PATCH", location, content[5:], {"Content-Range": "5-7"}).status == 202
    assert client.request("PUT", with_query(location, digest=digest_of(content))).status == 201
    location = client.start_upload("a")
    assert client.request("PATCH", location, content[:3], {"Content-Range": "0-2"}).status == 202
    refused = client.request("PATCH", location, content[3:], {"Content-Range": "3-7"})
    assert (refused.status, refused.json()["errors"][0]["code"]) == (400, "SIZE_INVALID")


# ── in a normal stack ─────────────────────────────────────────────────────────────────────────

EVERY_LAYER: dict[str, dict[str, Any]] = {
    "fault-status": {"status": 429, "headers": {"Retry-After": 1}, "path": "/v2/busy/*"},
    "fault-slow": {"rate": 100_000, "path": "/v2/slow/*"},
    "fault-cut": {"at": 20, "path": "/v2/cut/*", "methods": "GET"},
    "fault-digest": {"path": "/v2/wrong/*", "methods": "GET"},
    "quirk-location": {"form": "absolute"},
    "quirk-header-names": {"case": "lower"},
    "quirk-no-link": {},
    "quirk-no-referrers": {},
    "quirk-pages": {"default": 2},
    "quirk-chunk-minimum": {"minimum": 1000},
    "quirk-redirect": {"url": "https://cdn.example.com", "status": 302},
}


def test_each_layer_stands_in_a_normal_stack_by_its_name(serve: Serve) -> None:
    layers = [{"name": name, "options": options} for name, options in EVERY_LAYER.items()]
    server = serve(sections={"middleware": {"http": layers}})
    client, config = Client(server.url), b'{"architecture": "none"}'
    digest = client.push_blob("wrong", config)
    document = {"schemaVersion": 2, "config": {"mediaType": "a/b", "size": len(config), "digest": digest}, "layers": []}
    for tag in ("v1", "v2", "v3"):
        client.push_manifest("wrong", tag, json.dumps(document).encode(), mediatypes.OCI_MANIFEST)
    assert client.request("GET", "/v2/busy/tags/list").headers["Retry-After"] == "1"
    assert client.request("GET", "/v2/slow/tags/list").status == 404
    assert client.blob("wrong", digest).headers["Location"].startswith("https://cdn.example.com/v2/wrong/blobs/")
    # Whether its server sends the headers before it hangs up is a matter of chance.
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        client.request("GET", "/v2/cut/tags/list")
    assert client.manifest("wrong", "v1").digest == f"sha256:{'0' * 64}"
    begun = client.request("POST", "/v2/a/blobs/uploads/", b"")
    assert begun.headers["Location"].startswith(server.url)
    assert begun.headers["OCI-Chunk-Min-Length"] == "1000"
    tags = client.tags("wrong")
    assert (tags.json()["tags"], tags.headers["Link"]) == (["v1", "v2"], None)
    assert client.request("GET", f"/v2/wrong/referrers/{digest}").status == 404


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("fault-status", {"status": 42}, "fault-status: status must be from 300 to 599, not 42"),
        ("fault-status", {"times": -1}, "fault-status: times and after must be 0 or more"),
        ("fault-status", {"times": "twice"}, "fault-status.times: must be an integer or nothing, not 'twice'"),
        ("fault-status", {"stat": 1}, "fault-status.stat: unknown key; did you mean status?"),
        ("fault-slow", {}, "fault-slow: delay, in seconds, or rate, in bytes a second, must be more than 0"),
        ("fault-cut", {"of": "rope"}, "of must be answer or request, not 0 and 'rope'"),
        ("quirk-location", {"form": "round"}, "quirk-location: form must be absolute or relative, not 'round'"),
        ("quirk-location", {}, "quirk-location.form: required, but not given"),
        ("quirk-header-names", {"case": "title"}, "case must be upper or lower, not 'title'"),
        ("quirk-redirect", {"url": "/path"}, "url must be absolute"),
        ("quirk-pages", {"default": 0}, "default must be from 1 to most, not 0 of 1000"),
        ("quirk-chunk-minimum", {"minimum": 0}, "minimum must be 1 or more, not 0"),
        ("fault-stats", {}, "unknown name 'fault-stats'; did you mean fault-status?"),
    ],
)
def test_wrong_options_are_refused_in_words(
    served: ServedRegistry, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        served.use(name, **options)
    assert message in str(raised.value)


def test_an_option_that_a_layer_refuses_is_a_mistake_in_the_configuration(start: Any) -> None:
    layer = {"name": "fault-status", "options": {"status": 42}}
    with pytest.raises(ConfigurationError, match=r"^middleware\.http\[0\]\.options: status must be from 300 to 599"):
        start(config={"middleware": {"http": [layer]}})
