"""Lists: the tags of a repository (end-8) and the repositories of the registry, whole and in pages."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.api.call import Options
from tests.api.inprocess import InProcess, in_memory_stack
from tests.stack import image_manifest
from tests.wire import Response, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONFIG = b"{}"
IMAGE = image_manifest(digest_of(CONFIG))
TAGS = ["0", "A", "Z", "_", "a", "a-1", "a.1", "b"]
"""In ASCII order."""
NAMES = ["a", "a/b", "a/b/c", "a/c", "a-b", "a.b", "a0", "b", "b/a"]
"""Component by component."""


def tagged(client: InProcess, name: str, tags: Sequence[str]) -> InProcess:
    client.push_blob(name, CONFIG)
    for tag in tags:
        client.push_manifest(name, tag, IMAGE, mediatypes.OCI_MANIFEST)
    return client


def filled(client: InProcess) -> InProcess:
    for name in reversed(NAMES):
        client.push_blob(name, CONFIG)
    return client


def next_page(answer: Response) -> str:
    """Return the target of the Link, empty where there is none."""
    match = re.fullmatch(r'<(/v2/[^<>]*)>; rel="next"', answer.headers.get("Link", ""))
    return match[1] if match else ""


def pages(client: InProcess, target: str, member: str) -> Iterator[list[str]]:
    while target:
        answer = client.request("GET", target)
        assert answer.status == 200
        yield answer.json()[member]
        target = next_page(answer)


# ── tags ──────────────────────────────────────────────────────────────────────────────────────


def test_tags_are_listed_in_ascii_order(client: InProcess) -> None:
    tagged(client, "x/y", sorted(TAGS, key=str.lower))
    answer = client.tags("x/y")
    assert answer.json() == {"name": "x/y", "tags": TAGS}
    assert answer.headers["Content-Type"] == "application/json"
    assert "Link" not in answer.headers


def test_head_has_the_headers_of_get(client: InProcess) -> None:
    tagged(client, "x", TAGS)
    for target in ("/v2/x/tags/list?n=2", "/v2/_catalog", "/v2/"):
        head, get = client.request("HEAD", target), client.request("GET", target)
        assert (head.status, head.body) == (200, b"")
        assert dict(head.headers) == dict(get.headers)


@pytest.mark.parametrize("n", [1, 3, 4, 7, 8, 100])
def test_the_pages_of_tags_make_up_the_list(client: InProcess, n: int) -> None:
    tagged(client, "x", TAGS)
    found = list(pages(client, f"/v2/x/tags/list?n={n}", "tags"))
    assert [tag for page in found for tag in page] == TAGS
    assert [len(page) for page in found[:-1]] == [n] * (len(found) - 1)
    assert found[-1]


def test_the_link_names_the_last_tag_and_the_size_of_the_page(client: InProcess) -> None:
    tagged(client, "x", TAGS)
    answer = client.request("GET", "/v2/x/tags/list?n=2&last=0")
    assert answer.json()["tags"] == ["A", "Z"]
    assert next_page(answer) == "/v2/x/tags/list?last=Z&n=2"


@pytest.mark.parametrize(
    ("last", "rest"),
    [("_", ["a", "a-1", "a.1", "b"]), ("a.0", ["a.1", "b"]), ("b", []), ("zzz", []), ("%2F", TAGS), ("", TAGS)],
)
def test_tags_go_on_after_a_marker_that_need_not_exist(client: InProcess, last: str, rest: list[str]) -> None:
    tagged(client, "x", TAGS)
    assert client.request("GET", f"/v2/x/tags/list?last={last}").json()["tags"] == rest


def test_no_tags_are_listed_where_none_are_asked_for(client: InProcess) -> None:
    tagged(client, "x", TAGS)
    answer = client.request("GET", "/v2/x/tags/list?n=0")
    assert answer.json()["tags"] == []
    assert "Link" not in answer.headers


def test_more_tags_than_the_maximum_are_clamped_and_the_rest_is_linked() -> None:
    client = tagged(InProcess(in_memory_stack(options=Options(tags_max=3))), "x", TAGS)
    answer = client.request("GET", "/v2/x/tags/list?n=7")
    assert answer.json()["tags"] == TAGS[:3]
    assert next_page(answer) == "/v2/x/tags/list?last=Z&n=3"
    assert client.tags("x").json()["tags"] == TAGS


def test_a_repository_whose_tags_are_gone_has_none(client: InProcess) -> None:
    tagged(client, "x", ["v1"])
    client.delete("x", "manifests", "v1")
    assert client.tags("x").json() == {"name": "x", "tags": []}


def test_a_repository_with_blobs_alone_has_no_tags(client: InProcess) -> None:
    client.push_blob("x", CONFIG)
    assert client.tags("x").json() == {"name": "x", "tags": []}


def test_an_unknown_repository_is_named(client: InProcess) -> None:
    client.push_blob("x/y", CONFIG)
    for name in ("x", "x/y/z", "nothing"):
        answer = client.tags(name)
        assert answer.status == 404
        assert answer.json()["errors"][0] | {"message": ""} == {
            "code": "NAME_UNKNOWN",
            "message": "",
            "detail": {"name": name},
        }


# ── catalog ───────────────────────────────────────────────────────────────────────────────────


def test_an_empty_registry_has_an_empty_catalog(client: InProcess) -> None:
    assert client.request("GET", "/v2/_catalog").json() == {"repositories": []}


def test_repositories_are_listed_component_by_component(client: InProcess) -> None:
    answer = filled(client).request("GET", "/v2/_catalog")
    assert answer.json() == {"repositories": NAMES}
    assert answer.headers["Content-Type"] == "application/json"
    assert "Link" not in answer.headers


@pytest.mark.parametrize("n", [1, 2, 4, 8, 9, 1000])
def test_the_pages_of_the_catalog_make_up_the_list(client: InProcess, n: int) -> None:
    found = list(pages(filled(client), f"/v2/_catalog?n={n}", "repositories"))
    assert [name for page in found for name in page] == NAMES
    assert [len(page) for page in found[:-1]] == [n] * (len(found) - 1)
    assert found[-1]


@pytest.mark.parametrize(
    ("last", "rest"),
    [("a", NAMES[1:]), ("a/b/d", NAMES[3:]), ("a/zzz", NAMES[4:]), ("b/a", []), ("A", NAMES), ("%00", NAMES)],
)
def test_the_catalog_goes_on_after_a_marker_that_need_not_exist(client: InProcess, last: str, rest: list[str]) -> None:
    assert filled(client).request("GET", f"/v2/_catalog?last={last}").json()["repositories"] == rest


def test_no_repositories_are_listed_where_none_are_asked_for(client: InProcess) -> None:
    answer = filled(client).request("GET", "/v2/_catalog?n=0")
    assert answer.json() == {"repositories": []}
    assert "Link" not in answer.headers


@pytest.mark.parametrize(("query", "length"), [("", 5), ("?n=5", 5), ("?n=2", 2)])
def test_a_page_of_the_catalog_is_never_longer_than_the_maximum(query: str, length: int) -> None:
    client = filled(InProcess(in_memory_stack(options=Options(catalog_max_entries=5))))
    answer = client.request("GET", f"/v2/_catalog{query}")
    assert answer.json()["repositories"] == NAMES[:length]
    assert next_page(answer)


def test_more_of_the_catalog_than_the_maximum_is_refused() -> None:
    client = filled(InProcess(in_memory_stack(options=Options(catalog_max_entries=5))))
    answer = client.request("GET", "/v2/_catalog?n=6")
    assert answer.status == 400
    assert answer.json()["errors"][0]["code"] == "PAGINATION_NUMBER_INVALID"


def test_a_catalog_without_n_has_a_hundred_entries_at_most(client: InProcess) -> None:
    for number in range(101):
        client.request("POST", f"/v2/r{number:03}/blobs/uploads/?digest={digest_of(CONFIG)}", CONFIG)
    answer = client.request("GET", "/v2/_catalog")
    assert len(answer.json()["repositories"]) == 100
    assert next_page(answer) == "/v2/_catalog?last=r099&n=100"


def test_an_upload_alone_makes_no_repository(client: InProcess) -> None:
    client.request("PATCH", client.start_upload("begun"), b"some")
    assert client.catalog() == []
    assert client.tags("begun").status == 404


def test_lists_are_json_with_a_line_end(client: InProcess) -> None:
    tagged(client, "x", ["v1"])
    assert client.tags("x").body == json.dumps({"name": "x", "tags": ["v1"]}, separators=(",", ":")).encode() + b"\n"
