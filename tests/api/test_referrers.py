"""The referrers of a manifest (end-12), and content with digests of other algorithms."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from registry_wsgi import mediatypes
from registry_wsgi.api import referrers
from registry_wsgi.descriptor import Descriptor, Digest
from tests import storages
from tests.stack import CountingDriver, image_manifest, push_blob, push_image, stack_over

if TYPE_CHECKING:
    from webtest import TestApp

MANIFEST_TYPE = {"Content-Type": mediatypes.OCI_MANIFEST}
INDEX_TYPE = {"Content-Type": mediatypes.OCI_INDEX}
ABSENT = Digest.of(b"absent")


@pytest.fixture
def driver() -> CountingDriver:
    return CountingDriver(storages.new_driver())


@pytest.fixture
def app(driver: CountingDriver) -> TestApp:
    return stack_over(driver)


def described(digest: str, media_type: str = mediatypes.OCI_MANIFEST) -> dict[str, object]:
    return Descriptor(Digest(digest), 1, media_type).to_dict()


def push_referrer(app: TestApp, subject: str, tag: str = "", **members: object) -> Digest:
    payload = image_manifest(push_blob(app, "a", b"{}"), subject=described(subject), **members)
    digest = Digest.of(payload)
    response = app.put(f"/v2/a/manifests/{tag or digest}", payload, headers=MANIFEST_TYPE, status=201)
    assert response.headers["OCI-Subject"] == subject
    return digest


def listed(app: TestApp, subject: str, query: str = "") -> list[dict[str, object]]:
    response = app.get(f"/v2/a/referrers/{subject}{query}", status=200)
    assert response.headers["Content-Type"] == mediatypes.OCI_INDEX
    assert response.json["mediaType"] == mediatypes.OCI_INDEX
    return list(response.json["manifests"])


def test_a_subject_without_referrers_has_an_empty_list(app: TestApp) -> None:
    assert listed(app, ABSENT) == []


def test_a_referrer_is_listed_with_its_type_and_annotations(app: TestApp) -> None:
    digest = push_referrer(app, ABSENT, artifactType="application/sbom", annotations={"by": "me"})
    (entry,) = listed(app, ABSENT)
    assert entry["digest"] == digest
    assert entry["artifactType"] == "application/sbom"
    assert entry["annotations"] == {"by": "me"}
    assert entry["size"] == len(app.get(f"/v2/a/manifests/{digest}").body)


def test_without_an_artifact_type_an_images_is_its_configs_and_an_index_has_none(app: TestApp) -> None:
    child = push_image(app, "a", "child", b"{}")
    image = push_referrer(app, child)
    document = {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": [], "subject": described(child)}
    app.put("/v2/a/manifests/index", json.dumps(document).encode(), headers=INDEX_TYPE, status=201)
    entries = {entry["mediaType"]: entry for entry in listed(app, child)}
    assert entries[mediatypes.OCI_MANIFEST]["digest"] == image
    assert entries[mediatypes.OCI_MANIFEST]["artifactType"] == "application/vnd.oci.image.config.v1+json"
    assert "artifactType" not in entries[mediatypes.OCI_INDEX]


def test_a_list_can_be_filtered_by_artifact_type(app: TestApp) -> None:
    wanted = push_referrer(app, ABSENT, artifactType="application/a+b")
    push_referrer(app, ABSENT, artifactType="application/other")
    response = app.get(f"/v2/a/referrers/{ABSENT}?artifactType={quote('application/a+b')}")
    assert [entry["digest"] for entry in response.json["manifests"]] == [wanted]
    assert response.headers["OCI-Filters-Applied"] == "artifactType"
    assert "OCI-Filters-Applied" not in app.get(f"/v2/a/referrers/{ABSENT}").headers


def test_long_lists_come_in_pages(app: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(referrers, "_MOST_ENTRIES", 2)
    pushed = {push_referrer(app, ABSENT, artifactType="application/a", annotations={"n": str(n)}) for n in range(5)}
    push_referrer(app, ABSENT, artifactType="application/other")
    seen: list[str] = []
    url = f"/v2/a/referrers/{ABSENT}?artifactType=application/a"
    while url:
        response = app.get(url)
        assert response.headers["OCI-Filters-Applied"] == "artifactType"
        seen += [entry["digest"] for entry in response.json["manifests"]]
        url = response.headers.get("Link", "").partition(">")[0].lstrip("<")
    assert len(seen) == len(pushed)
    assert set(seen) == pushed


def test_a_page_is_no_larger_than_a_manifest_may_be(app: TestApp) -> None:
    for number in range(3):
        push_referrer(app, ABSENT, annotations={"big": str(number) * 2_000_000})
    response = app.get(f"/v2/a/referrers/{ABSENT}")
    assert len(response.body) <= 4 * 1024 * 1024
    assert "Link" in response.headers


def test_what_the_fallback_tag_lists_is_listed_too(app: TestApp, driver: CountingDriver) -> None:
    """As a client of a registry without this API left it: no link, but an index under the subject's tag."""
    digest = push_referrer(app, ABSENT)
    stranger = push_image(app, "a", "stranger", b"{}", b"other")
    app.delete(f"/v2/a/manifests/{digest}", status=202)
    payload = image_manifest(push_blob(app, "a", b"{}"), subject=described(ABSENT))
    driver.put_content(None, f"/docker/registry/v2/blobs/sha256/{digest.hex[:2]}/{digest.hex}/data", payload)
    link = f"/docker/registry/v2/repositories/a/_manifests/revisions/sha256/{digest.hex}/link"
    driver.put_content(None, link, digest.encode())
    assert listed(app, ABSENT) == []
    index = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": [described(digest), described(stranger)],
    }
    app.put(f"/v2/a/manifests/sha256-{ABSENT.hex}", json.dumps(index).encode(), headers=INDEX_TYPE, status=201)
    assert [entry["digest"] for entry in listed(app, ABSENT)] == [digest]


def test_deleting_a_referrer_removes_it_and_deleting_the_subject_does_not(app: TestApp) -> None:
    subject = push_image(app, "a", "v1", b"{}")
    kept, gone = push_referrer(app, subject, "kept"), push_referrer(app, subject, annotations={"gone": "soon"})
    app.delete(f"/v2/a/manifests/{gone}", status=202)
    app.delete(f"/v2/a/manifests/{subject}", status=202)
    assert [entry["digest"] for entry in listed(app, subject)] == [kept]


def test_a_digest_outside_the_grammar_is_refused(app: TestApp) -> None:
    assert app.get("/v2/a/referrers/sha256:abc", status=400).json["errors"][0]["code"] == "DIGEST_INVALID"


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_an_announced_algorithm_is_hashed_as_the_data_comes(
    algorithm: str, app: TestApp, driver: CountingDriver
) -> None:
    content = b"some content"
    digest = Digest.of(content, algorithm)
    location = app.post(f"/v2/a/blobs/uploads/?digest-algorithm={algorithm}", status=202).headers["Location"]
    location = app.patch(location, content[:5], status=202).headers["Location"]
    location = app.patch(location, content[5:], status=202).headers["Location"]
    driver.taken()
    response = app.put(f"{location}&digest={digest}", b"", status=201)
    assert not [call for call in driver.taken() if call.startswith("reader")]
    assert response.headers["Docker-Content-Digest"] == digest
    assert response.headers["Location"] == f"/v2/a/blobs/{digest}"
    for name in (digest, Digest.of(content)):
        answer = app.get(f"/v2/a/blobs/{name}")
        assert (answer.body, answer.headers["Docker-Content-Digest"]) == (content, name)


def test_an_unannounced_algorithm_costs_reading_the_data_once(app: TestApp, driver: CountingDriver) -> None:
    content = b"some content"
    location = app.patch(app.post("/v2/a/blobs/uploads/").headers["Location"], content).headers["Location"]
    driver.taken()
    app.put(f"{location}?digest={Digest.of(content, 'sha512')}", b"", status=201)
    assert [call for call in driver.taken() if call.startswith("reader")] == ["reader data"]


def test_an_unknown_algorithm_is_refused(app: TestApp) -> None:
    error = app.post("/v2/a/blobs/uploads/?digest-algorithm=md5", status=400).json["errors"][0]
    assert error["code"] == "DIGEST_INVALID"
    assert "sha512" in error["detail"]


@pytest.mark.parametrize("deleted", ["sha256", "sha512"])
@pytest.mark.parametrize("kind", ["blobs", "manifests"])
def test_content_is_deleted_by_whichever_digest(deleted: str, kind: str, app: TestApp) -> None:
    content = image_manifest(push_blob(app, "a", b"{}"))
    names = {algorithm: Digest.of(content, algorithm) for algorithm in ("sha256", "sha512")}
    app.post(f"/v2/a/blobs/uploads/?digest={names['sha512']}", content, status=201)
    app.put(f"/v2/a/manifests/{names['sha512']}?tag=v1", content, headers=MANIFEST_TYPE, status=201)
    app.delete(f"/v2/a/{kind}/{names[deleted]}", status=202)
    for name in names.values():
        app.get(f"/v2/a/{kind}/{name}", status=404)


def test_tags_in_the_query_are_put_on_a_manifest_pushed_by_digest(app: TestApp) -> None:
    content = image_manifest(push_blob(app, "a", b"{}"))
    digest = Digest.of(content, "sha512")
    tags = [f"v{number}" for number in range(12)]
    query = "&".join(f"tag={tag}" for tag in tags)
    response = app.put(f"/v2/a/manifests/{digest}?{query}", content, headers=MANIFEST_TYPE, status=201)
    assert response.headers["OCI-Tag"].split(", ") == tags
    assert response.headers["Docker-Content-Digest"] == digest
    for tag in tags:
        assert app.get(f"/v2/a/manifests/{tag}").headers["Docker-Content-Digest"] == Digest.of(content)


def test_a_bad_tag_in_the_query_stores_nothing(app: TestApp) -> None:
    content = image_manifest(push_blob(app, "a", b"{}"))
    url = f"/v2/a/manifests/{Digest.of(content)}"
    assert (
        app.put(f"{url}?tag=v1&tag=-", content, headers=MANIFEST_TYPE, status=400).json["errors"][0]["code"]
        == "MANIFEST_INVALID"
    )
    app.get(url, status=404)
