"""Listing tags (end-8a), page by page (end-8b)."""

from __future__ import annotations

import pytest

from tests.conformance.target import Repo, next_page

endpoint = pytest.mark.endpoint

TAGS = ["v10", "V2", "1.0", "_x", "v2", "1.0-rc1"]


@pytest.fixture
def tagged(repo: Repo) -> Repo:
    """A repository with TAGS, pushed in no order."""
    payload = repo.image()
    for tag in TAGS:
        repo.push(tag, payload)
    return repo


def in_an_order_of_the_specification(tags: list[str]) -> bool:
    return tags in (sorted(tags), sorted(tags, key=str.lower), sorted(tags, key=lambda tag: (tag.lower(), tag)))


@endpoint("end-8a", "MUST")
def test_end_8a_the_tags_of_a_repository_are_answered_with_200_and_its_name(tagged: Repo) -> None:
    answer = tagged.request("GET", "tags/list")
    assert answer.status == 200
    assert answer.json()["name"] == tagged.name
    assert sorted(answer.json()["tags"]) == sorted(TAGS)


@endpoint("end-8a", "MUST")
def test_end_8a_tags_are_in_lexical_or_in_ascii_order(tagged: Repo) -> None:
    assert in_an_order_of_the_specification(tagged.tags())


@endpoint("end-8a", "MAY")
def test_end_8a_a_repository_without_tags_has_an_empty_list(repo: Repo) -> None:
    repo.push_image()
    answer = repo.request("GET", "tags/list")
    repo.target.optional(answer.status == 200, "an empty list of tags")
    assert answer.json() == {"name": repo.name, "tags": []}


@endpoint("end-8a", "MUST")
def test_end_8a_a_repository_that_is_not_there_is_404(repo: Repo) -> None:
    repo.assert_refused(repo.request("GET", "tags/list"), 404, "NAME_UNKNOWN")


@pytest.mark.parametrize("n", [1, 3, len(TAGS), len(TAGS) + 5])
@endpoint("end-8b", "MUST")
def test_end_8b_n_tags_come_from_the_beginning_of_the_list(tagged: Repo, n: int) -> None:
    answer = tagged.request("GET", f"tags/list?n={n}")
    tags = answer.json()["tags"]
    assert tags == tagged.tags()[: len(tags)]
    # Fewer only where there is a Link, or nothing more.
    assert len(tags) == min(n, len(TAGS)) or (len(tags) < n and next_page(answer))


@endpoint("end-8b", "MUST")
def test_end_8b_no_tags_are_an_empty_list_without_a_link(tagged: Repo) -> None:
    answer = tagged.request("GET", "tags/list?n=0")
    assert (answer.status, answer.json()["tags"]) == (200, [])
    assert answer.headers["Link"] is None


@endpoint("end-8b", "MUST")
def test_end_8b_tags_begin_after_the_last(tagged: Repo) -> None:
    tags = tagged.tags()
    for position, last in enumerate(tags):
        assert tagged.tags(f"?last={last}") == tags[position + 1 :]


@endpoint("end-8b", "MUST")
def test_end_8b_n_tags_come_after_the_last(tagged: Repo) -> None:
    tags = tagged.tags()
    for position, last in enumerate(tags):
        answer = tagged.request("GET", f"tags/list?n=3&last={last}")
        found = answer.json()["tags"]
        assert found == tags[position + 1 : position + 4] or (
            found == tags[position + 1 :][: len(found)] and next_page(answer)
        )


@pytest.mark.parametrize("n", [1, 3, 4, len(TAGS)])
@endpoint("end-8b", "MUST")
def test_end_8b_the_links_lead_through_all_tags(tagged: Repo, n: int) -> None:
    answer = tagged.request("GET", f"tags/list?n={n}")
    found = list(answer.json()["tags"])
    tagged.target.optional(n >= len(TAGS) or bool(next_page(answer)), "Link to the next tags")
    while next_page(answer):
        answer = tagged.client.request("GET", next_page(answer))
        assert answer.status == 200
        assert len(answer.json()["tags"] or []) <= n
        found += answer.json()["tags"] or []
    assert found == tagged.tags()


@endpoint("end-8b", "MUST")
def test_end_8b_after_the_last_tag_there_is_none(tagged: Repo) -> None:
    answer = tagged.request("GET", f"tags/list?n=3&last={tagged.tags()[-1]}")
    assert (answer.status, answer.json()["tags"] or []) == (200, [])
    assert answer.headers["Link"] is None


@pytest.mark.parametrize("n", ["-1", "many", "1.5"])
@endpoint("end-8b", "SHOULD")
def test_end_8b_an_n_that_is_no_number_is_refused(tagged: Repo, n: str) -> None:
    answer = tagged.request("GET", f"tags/list?n={n}")
    tagged.target.optional(answer.status != 200, "refusing n that is no number")
    assert answer.status == 400
